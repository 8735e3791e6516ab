"""An order may be paid ten times at most, and a long history holds nobody up."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors.contracts.errors import Invalid, NotFound
from actors.contracts.values import OrderStatus, PaymentStatus
from actors.order.domain import events as ev
from actors.order.domain.order import Order, fold
from actors.order.event_codec import decode_event
from actors.order.journal import Journal
from actors.order.journal_appends import Append
from actors.order.queries import OrderHistories
from actors.settings import Settings
from serve_app.backend import Backend
from tests.support.http_contract import CARD, ORDER, UNPAID, placed
from tests.support.in_process import client_of, in_process
from tests.support.orders import DUE, NOON, ORDER_ID, PLACED, PRIVATE, TOTAL, given, stored

FAR_AWAY = DUE.replace(year=DUE.year + 100)
DECLINED_CARD = {"method": "card", "token": "tok_decline"}


def declined(attempts: int) -> tuple[ev.StoredEvent, ...]:
    """Return the history of an order whose card was declined so many times."""
    history = [stored(PLACED, 1, "place")]
    for attempt in range(1, attempts + 1):
        asked = ev.PaymentRequested(attempt, TOTAL)
        history.append(stored(asked, len(history) + 1, f"pay-{attempt}"))
        refused = ev.PaymentDeclined(attempt, "pay_1")
        history.append(stored(refused, len(history) + 1))
    return tuple(history)


async def keep(journal: Journal, history: tuple[ev.StoredEvent, ...]) -> None:
    await journal.append(Append(ORDER_ID, 0, history, DUE, private=PRIVATE))


def seconds_to_fold(history: tuple[ev.StoredEvent, ...]) -> float:
    began = time.process_time()
    assert isinstance(fold(history), Order)
    return time.process_time() - began


async def test_the_eleventh_payment_of_an_order_is_refused(client: httpx.AsyncClient) -> None:
    order_id = await placed(client, ORDER | {"payment": DECLINED_CARD})
    path = f"/orders/{order_id}/payment"
    for number in range(2, 11):
        key = {"Idempotency-Key": f"pay-{number}"}
        tried = await client.post(path, json=DECLINED_CARD, headers=key)
        assert (tried.status_code, tried.json()["code"]) == (402, "card_declined")

    refused = await client.post(path, json=CARD)
    again = await client.post(path, json=DECLINED_CARD, headers=key)
    payments = (await client.get("/payments", params={"order_id": order_id})).json()["items"]
    canceled = await client.post(f"/orders/{order_id}/cancel")

    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_attempts")
    assert refused.headers["content-type"] == "application/problem+json"
    assert (again.status_code, again.headers["idempotency-replayed"]) == (402, "true")
    assert [payment["attempts"] for payment in payments] == [10]
    assert (canceled.status_code, canceled.json()["order_status"]) == (200, "CANCELED")


async def test_an_order_that_was_tried_more_often_before_there_was_a_limit_can_be_cancelled(
    tmp_path: Path,
) -> None:
    settings = Settings(data_dir=tmp_path)
    first, *rest = declined(60)
    in_time = (first._replace(event=replace(PLACED, payment_due=FAR_AWAY)), *rest)
    async with in_process(settings) as siren:
        await keep(siren.journal, in_time)
        async with client_of(siren) as client:
            refused = await client.post(f"/orders/{ORDER_ID}/payment", json=CARD)
            canceled = await client.delete(f"/orders/{ORDER_ID}")

    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_attempts")
    assert (canceled.status_code, canceled.json()["order_status"]) == (200, "CANCELED")


def test_folding_takes_time_in_proportion_to_the_history() -> None:
    """It took 737 ms of the event loop for 4,500 events, sixteen times as long as for 900."""
    short, long = declined(250), declined(4000)
    quickest = min(seconds_to_fold(short) for _ in range(5))

    assert seconds_to_fold(long) < 16 * quickest * 6  # squared, it would be 256 times as long


def test_every_attempt_keeps_its_own_outcome() -> None:
    order = fold(declined(3), None)
    assert order is not None
    accepted = fold(
        (
            stored(ev.PaymentRequested(4, TOTAL), 8, "pay-4"),
            stored(ev.PaymentApproved(4, "pay_1"), 9),
        ),
        order,
    )
    assert accepted is not None

    outcomes = [accepted.attempt_status(f"pay-{number}") for number in range(1, 6)]
    assert outcomes == [*[PaymentStatus.DECLINED] * 3, PaymentStatus.APPROVED, None]
    assert (accepted.attempts, accepted.status) == (4, OrderStatus.PAID)
    assert order.attempt_status("pay-4") is None


# --- the history in pages -----------------------------------------------------------------------


async def test_a_history_is_read_in_pages(siren: Backend, client: httpx.AsyncClient) -> None:
    await keep(siren.journal, declined(60))
    path = f"/orders/{ORDER_ID}/events"

    versions: list[int] = []
    page: dict[str, Any] = (await client.get(path)).json()
    assert len(page["items"]) == 100
    while True:
        versions += [item["version"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        wanted = {"limit": 7, "cursor": page["next_cursor"]}
        page = (await client.get(path, params=wanted)).json()
        assert len(page["items"]) <= 7

    assert versions == list(range(1, 122))


async def test_a_page_that_ends_with_the_history_is_the_last_one(
    siren: Backend, client: httpx.AsyncClient
) -> None:
    await keep(siren.journal, declined(2))

    page = (await client.get(f"/orders/{ORDER_ID}/events", params={"limit": 5})).json()

    assert ([item["version"] for item in page["items"]], page["next_cursor"]) == (
        [1, 2, 3, 4, 5],
        None,
    )


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("limit=ten", "/limit"),
        ("limit=5&limit=5", "/limit"),
        ("cursor=nonsense", "/cursor"),
        ("cursor=", "/cursor"),
        ("cursor=" + "A" * 600, "/cursor"),
    ],
)
async def test_a_page_that_cannot_be_is_refused(
    client: httpx.AsyncClient, query: str, pointer: str
) -> None:
    response = await client.get(f"/orders/{await placed(client, UNPAID)}/events?{query}")

    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


async def test_a_page_reads_no_more_than_itself(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(database_url)
    await journal.create()
    histories = OrderHistories(journal.database)
    await keep(journal, declined(200))
    decoded = 0

    def counted(*row: Any) -> ev.Event:
        nonlocal decoded
        decoded += 1
        return decode_event(*row)

    monkeypatch.setattr("actors.order.journal_rows.decode_event", counted)
    first = await histories.page(ORDER_ID, 10)
    second = await histories.page(ORDER_ID, 10, first.next_cursor)
    assert decoded == 20  # and one event of each next page is seen, but not decoded

    assert [event.version for event in second.items] == list(range(11, 21))
    assert await histories.placed(ORDER_ID) == PLACED
    assert await histories.placed("nobody") is None
    with pytest.raises(NotFound):
        await histories.page("nobody")
    for limit in (0, -1, 201, True, 1.0, "5", None):
        with pytest.raises(Invalid) as refused:
            await histories.page(ORDER_ID, limit)  # type: ignore[arg-type]
        assert refused.value.pointer == "/limit"
    await journal.close()


async def test_a_long_history_does_not_change_what_the_order_is() -> None:
    order = fold(declined(60))

    assert order == fold(declined(60))
    assert order != given(PLACED)
    assert (order.placed_at, order.attempts) == (NOON, 60) if order else False
