"""What each event changes of an order, and that it changes nothing else."""

from typing import Any

import pytest

from actors.contracts.values import PaymentStatus
from actors.order.domain import events as ev
from actors.order.domain.order import CarriedOut, evolve
from tests.support.orders import (
    ACCEPTED,
    ACCEPTED_LIFE,
    APPROVED,
    CANCELED,
    CANCELED_LIFE,
    CHARGE_UNDONE,
    DECLINED,
    DUE,
    ERASED,
    LINES,
    ORDER_ID,
    PAID_LIFE,
    PICKED_UP,
    PICKED_UP_LIFE,
    PLACED,
    PREPARING_LIFE,
    READY,
    READY_LIFE,
    REQUESTED,
    STARTED,
    TICKET_UNDONE,
    TOTAL,
    Life,
    at,
    given,
    stored,
)

REJECTED = ev.PickupRejected("sold_out")
SECOND = ev.PaymentRequested(2, TOTAL)
DECLINED_LIFE: Life = (PLACED, REQUESTED, DECLINED)
CANCELING_LIFE: Life = (*ACCEPTED_LIFE, CANCELED)
UNPAID_CANCELING: Life = (PLACED, REQUESTED, CANCELED)
REFUNDED: Life = (*PREPARING_LIFE, REJECTED, CANCELED)
Change = tuple[Life, ev.Event, dict[str, Any]]
CHANGES: list[Change] = [
    ((PLACED,), REQUESTED, {"payment": "PENDING", "attempts": 1}),
    (DECLINED_LIFE, SECOND, {"payment": "PENDING", "attempts": 2}),
    (
        (PLACED, REQUESTED),
        APPROVED,
        {
            "status": "PAID",
            "payment": "APPROVED",
            "pickup": "REQUESTED",
            "payment_id": "pay-1",
            "paid_at": at(3),
        },
    ),
    (
        UNPAID_CANCELING,
        APPROVED,
        {"payment": "APPROVED", "payment_id": "pay-1", "paid_at": at(4)},
    ),
    ((PLACED, REQUESTED), DECLINED, {"payment": "DECLINED", "payment_id": "pay-1"}),
    (
        UNPAID_CANCELING,
        ev.PaymentCanceled("pay-1"),
        {"status": "CANCELED", "payment": "CANCELED", "payment_id": "pay-1", "canceled_at": at(4)},
    ),
    (
        (*CANCELING_LIFE, TICKET_UNDONE),
        ev.PaymentCanceled(None),
        {"status": "CANCELED", "payment": "CANCELED", "canceled_at": at(7)},
    ),
    (
        PAID_LIFE,
        ACCEPTED,
        {
            "status": "ACCEPTED",
            "pickup": "ACCEPTED",
            "pickup_number": "A-042",
            "estimated_ready_at": ACCEPTED.estimated_ready_at,
            "accepted_at": at(4),
        },
    ),
    (
        ACCEPTED_LIFE,
        STARTED,
        {"status": "PREPARING", "pickup": "PREPARING", "ticket_version": 5},
    ),
    (
        PREPARING_LIFE,
        READY,
        {"status": "READY", "pickup": "READY", "ready_at": at(6), "ticket_version": 6},
    ),
    (
        READY_LIFE,
        PICKED_UP,
        {"status": "PICKED_UP", "pickup": "PICKED_UP", "picked_up_at": at(7), "ticket_version": 7},
    ),
    (PAID_LIFE, REJECTED, {"pickup": "REJECTED"}),
    ((*PAID_LIFE, ERASED), REJECTED, {"pickup": "REJECTED"}),
    (ACCEPTED_LIFE, REJECTED, {"pickup": "REJECTED", "ticket_version": 5}),
    (PREPARING_LIFE, REJECTED, {"pickup": "REJECTED", "ticket_version": 6}),
    (ACCEPTED_LIFE, CANCELED, {"status": "CANCELING", "cancel_reason": "customer_request"}),
    (
        DECLINED_LIFE,
        CANCELED,
        {"status": "CANCELED", "cancel_reason": "customer_request", "canceled_at": at(4)},
    ),
    (CANCELING_LIFE, TICKET_UNDONE, {"pickup": "CANCELED"}),
    (CANCELING_LIFE, CHARGE_UNDONE, {"payment": "CANCELED"}),
    (
        (*CANCELING_LIFE, CHARGE_UNDONE),
        TICKET_UNDONE,
        {"status": "CANCELED", "pickup": "CANCELED", "canceled_at": at(7)},
    ),
    (
        REFUNDED,
        CHARGE_UNDONE,
        {"status": "CANCELED", "payment": "CANCELED", "canceled_at": at(8)},
    ),
    ((PLACED,), ERASED, {"erased": True}),
    (DECLINED_LIFE, ERASED, {"erased": True}),
    ((PLACED, REQUESTED), ERASED, {"erased": True, "ticket_version": 3}),
    (PAID_LIFE, ERASED, {"erased": True, "ticket_version": 4}),
    (CANCELED_LIFE, ERASED, {"erased": True, "ticket_version": 8}),
]

KINDS = {type(event).__name__: (life, event) for life, event, _ in CHANGES}


def test_a_placed_order_is_what_was_asked_for_and_nothing_more() -> None:
    order = evolve(None, stored(PLACED, 1, "place:body"))._asdict()

    assert order.pop("requests").items() == [("place", CarriedOut("body", "OrderPlaced"))]
    assert order.pop("paying").items() == []
    assert order == {
        "order_id": ORDER_ID,
        "version": 1,
        "customer_id": "c-17",
        "store_id": "gangnam",
        "lines": LINES,
        "total": TOTAL,
        "currency": "KRW",
        "body_hash": "hash",
        "placed_at": at(1),
        "payment_due": DUE,
        "last_at": at(1),
        "placing_key": "place",
        "status": "PLACED",
        "payment": "NONE",
        "pickup": "NONE",
        "attempts": 0,
        "payment_id": None,
        "pickup_number": None,
        "estimated_ready_at": None,
        "cancel_reason": None,
        "paid_at": None,
        "accepted_at": None,
        "ready_at": None,
        "picked_up_at": None,
        "canceled_at": None,
        "ticket_version": 0,
        "erased": False,
    }


@pytest.mark.parametrize(
    ("life", "event", "changes"),
    CHANGES,
    ids=[" ".join(type(one).__name__ for one in (*life, event)) for life, event, _ in CHANGES],
)
def test_an_event_changes_this_and_nothing_else(
    life: Life, event: ev.Event, changes: dict[str, Any]
) -> None:
    before, version = given(*life), len(life) + 1
    after = evolve(before, stored(event, version))
    moved_on = before._replace(version=version, last_at=at(version), paying=after.paying)
    assert after == moved_on._replace(**changes)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_asked_is_known_by_its_key_whatever_it_caused(kind: str) -> None:
    life, event = KINDS[kind]
    order = evolve(given(*life), stored(event, len(life) + 1, "key:body"))
    assert order.requests.items()[-1] == ("key", CarriedOut("body", kind))


@pytest.mark.parametrize("event", [APPROVED, DECLINED, CHARGE_UNDONE], ids=repr)
def test_the_outcome_of_a_payment_that_nobody_asked_for_stops_the_fold(event: ev.Event) -> None:
    status = type(event).__name__.removeprefix("Payment").upper()
    with pytest.raises(ValueError, match=f"{ORDER_ID}: a payment {status} that was never asked"):
        evolve(given(PLACED), stored(event, 2))


FINISHED = {PICKED_UP_LIFE, CANCELED_LIFE, (PLACED, CANCELED)}
UNFINISHED = {(PLACED,), PAID_LIFE, ACCEPTED_LIFE, PREPARING_LIFE, READY_LIFE, CANCELING_LIFE}


def test_an_order_is_finished_once_it_is_picked_up_or_canceled() -> None:
    finished = {life for life in FINISHED | UNFINISHED if given(*life).finished is True}
    assert finished == FINISHED


def test_each_request_to_pay_is_answered_by_its_own_attempt() -> None:
    order = evolve(given(PLACED), stored(REQUESTED, 2, "first:card"))
    assert order.attempt_status("first:card") is PaymentStatus.PENDING
    order = evolve(evolve(order, stored(DECLINED, 3)), stored(SECOND, 4, "second"))
    assert order.attempt_status("first:card") is PaymentStatus.DECLINED
    assert order.attempt_status("second:card") is PaymentStatus.PENDING
    order = evolve(order, stored(ev.PaymentApproved(2, "pay-1"), 5, "third"))
    assert order.attempt_status("first") is PaymentStatus.DECLINED
    assert order.attempt_status("second") is PaymentStatus.APPROVED
    for not_a_payment in ("place", "third", "never"):
        assert order.attempt_status(not_a_payment) is None
