"""What the services may not disagree about."""

from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Row, String, Table, create_engine, select

from cluster.chaos.books import OrderBooks, disagreements

DETAIL: dict[str, Any] = {
    "version": 4,
    "order_status": "ACCEPTED",
    "payment_status": "APPROVED",
    "pickup_status": "ACCEPTED",
    "pickup_number": "A-001",
    "total": 9000,
}


def row(**values: Any) -> Row[Any]:
    """Return a row with these columns."""
    kinds = {name: Integer if isinstance(value, int) else String for name, value in values.items()}
    table = Table("t", MetaData(), *(Column(name, kind) for name, kind in kinds.items()))
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert().values(**values))
        return connection.execute(select(table)).one()


def books(**changes: Any) -> OrderBooks:
    """Return those of an order that is accepted, changed."""
    usual: dict[str, Any] = {
        "events": [row(version=n) for n in range(1, 5)],
        "charges": [row(status="APPROVED", amount=9000)],
        "payments": [row(status="APPROVED", payment_id="p-1")],
        "tickets": [row(status="ACCEPTED", number="A-001")],
    }
    return OrderBooks(**(usual | changes))


def found(detail: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    shown = DETAIL | (detail or {})
    return [code for code, _ in disagreements(shown, shown, 9000, books(**changes))]


def test_books_that_agree() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"events": []}, "events"),
        ({"events": [row(version=n) for n in (1, 2, 4, 5)]}, "events"),
        ({"charges": []}, "charges"),
        ({"charges": [row(status="APPROVED", amount=9000)] * 2}, "charges"),
        ({"charges": [row(status="APPROVED", amount=1)]}, "charges"),
        ({"payments": [row(status="DECLINED", payment_id="p-1")]}, "payments"),
        ({"tickets": []}, "tickets"),
        ({"tickets": [row(status="READY", number="A-001")]}, "tickets"),
        ({"tickets": [row(status="ACCEPTED", number="A-002")]}, "tickets"),
        ({"token": "tok_approve"}, "token"),
    ],
)
def test_each_service_is_held_to_what_the_order_says(changes: dict[str, Any], code: str) -> None:
    assert found(**changes) == [code]


def test_a_charge_of_an_order_that_was_cancelled_is_refunded() -> None:
    canceled = {"order_status": "CANCELED", "payment_status": "CANCELED", "pickup_status": "NONE"}
    undone = {"payments": [row(status="CANCELED", payment_id="p-1")], "tickets": []}
    assert found(canceled, **undone) == ["charges"]
    refunded = [row(status="CANCELED", amount=9000)]
    assert found(canceled, **undone, charges=refunded) == []


def test_an_order_that_was_cancelled_in_time_never_heard_of_its_number() -> None:
    assert found({"pickup_number": None}) == []


def test_nobody_pays_another_total_than_the_one_that_was_said() -> None:
    assert found({"total": 10_000}) == ["total"]


def test_at_rest_the_view_is_the_journal() -> None:
    behind = list(disagreements(DETAIL, DETAIL | {"version": 3}, 9000, books()))
    assert behind == [("view", "it shows version 3, the journal 4")]
