"""kill -9 of the real actor process just before and just after each append and each step.

Commands are sent with `respond-async`: what comes after their own append, the order does by itself,
with no request under way that could wake it.
"""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.chaos.crashing import Fuse, fragile
from tests.outside import (
    ASYNC,
    accepted,
    assert_agreed,
    card,
    history,
    new_order,
    place,
    post,
    reaches,
)
from tests.system import System

PAYING = ("step AuthorizePayment", "provider authorize", "ledger charged")
TICKET = ("step OpenTicket", "store TicketRequest")
REFUNDING = ("step CancelPayment", "ledger refuse", "provider cancel", "ledger refunded")


def around(*points: str) -> pytest.MarkDecorator:
    """Run the test with a crash before, and with one after, each point."""
    return pytest.mark.parametrize(
        "crash", [f"{when} {point}" for point in points for when in ("before", "after")]
    )


@pytest.fixture(scope="module")
def fuse(system: System) -> Iterator[Fuse]:
    with fragile(system) as fuse:
        yield fuse


@around("append OrderPlaced", *PAYING, "append PaymentApproved", *TICKET, "append PickupStarted")
def test_a_paid_order_is_accepted(system: System, fuse: Fuse, crash: str) -> None:
    order, key = new_order(), uuid4().hex
    order_id = fuse.installation.order_id(order["customer"]["id"], key)
    fuse.light(crash, order_id)

    assert place(system, order, key=key, prefer=ASYNC)["order_id"] == order_id

    reaches(system, order_id, "ACCEPTED")
    assert fuse.burnt, f"never got to: {crash}"
    assert history(system, order_id) == [
        "OrderPlaced",
        "PaymentRequested",
        "PaymentApproved",
        "PickupStarted",
    ]
    assert_agreed(system, order_id)


@around(
    "append OrderCanceled",
    "step CancelTicket",
    "store TicketCancellation",
    "append PickupCanceled",
    *REFUNDING,
    "append PaymentCanceled",
)
def test_a_cancelled_order_is_undone_ticket_first(system: System, fuse: Fuse, crash: str) -> None:
    order_id = accepted(system)
    fuse.light(crash, order_id)

    post(system, f"/orders/{order_id}/cancel", prefer=ASYNC)

    detail = reaches(system, order_id, "CANCELED")
    assert fuse.burnt, f"never got to: {crash}"
    assert (detail["payment_status"], detail["pickup_status"]) == ("CANCELED", "CANCELED")
    undone = history(system, order_id)[-3:]
    assert undone == ["OrderCanceled", "PickupCanceled", "PaymentCanceled"]
    assert len(assert_agreed(system, order_id).money_moved) == 1


BUTTONS = ("start", "ready", "complete")
TELLING = ("step UpdateTicket", "store TicketUpdate", "append acknowledgement")


@pytest.mark.parametrize(
    ("button", "crash"),
    [
        (button, f"{when} {point}")
        for button, event in zip(
            BUTTONS, ("PreparationStarted", "PickupReady", "PickedUp"), strict=True
        )
        for point in (f"append {event}", *(TELLING if button != "ready" else ()))
        for when in ("before", "after")
    ],
)
def test_a_barista_s_word_reaches_journal_and_ticket(
    system: System, fuse: Fuse, button: str, crash: str
) -> None:
    order_id = accepted(system)
    for pressed in BUTTONS:
        if pressed == button:
            fuse.light(crash, order_id)
        assert post(system, f"/pickups/{order_id}/{pressed}").status_code == 200

    reaches(system, order_id, "PICKED_UP")
    assert fuse.burnt, f"never got to: {crash}"
    barista = history(system, order_id)[-3:]
    assert barista == ["PreparationStarted", "PickupReady", "PickedUp"]
    assert_agreed(system, order_id)


@around("provider authorize", "ledger charged", "append PaymentDeclined")
def test_a_declined_order_can_be_paid_again(system: System, fuse: Fuse, crash: str) -> None:
    order, key = new_order("tok_decline"), uuid4().hex
    order_id = fuse.installation.order_id(order["customer"]["id"], key)
    fuse.light(crash, order_id)
    place(system, order, key=key, prefer=ASYNC)
    assert reaches(system, order_id, "PLACED")["payment_status"] == "DECLINED"
    assert fuse.burnt, f"never got to: {crash}"

    post(system, f"/orders/{order_id}/payment", card())

    reaches(system, order_id, "ACCEPTED")
    assert_agreed(system, order_id)


@around("append PaymentRequested", "step AuthorizePayment", "ledger charged")
def test_the_second_attempt_charges_once(system: System, fuse: Fuse, crash: str) -> None:
    order_id = place(system, new_order("tok_decline"))["order_id"]
    fuse.light(crash, order_id)

    post(system, f"/orders/{order_id}/payment", card(), prefer=ASYNC)

    reaches(system, order_id, "ACCEPTED")
    assert fuse.burnt, f"never got to: {crash}"
    books = assert_agreed(system, order_id)
    assert books.payments[0]["attempts"] == 2
    assert [charge["status"] for charge in books.charges] == ["DECLINED", "APPROVED"]


@around("store TicketRequest", "append PickupRejected", "step CancelPayment")
def test_an_order_that_the_store_refuses_is_refunded(
    system: System, fuse: Fuse, crash: str
) -> None:
    order_id = place(system, new_order(None, items=[{"menu_id": "latte", "quantity": 1}]))[
        "order_id"
    ]
    system.http.patch("/stores/gangnam/menu/latte", json={"sold_out": True})
    try:
        fuse.light(crash, order_id)
        post(system, f"/orders/{order_id}/payment", card(), prefer=ASYNC)
        detail = reaches(system, order_id, "CANCELED")
    finally:
        sell_again = {"sold_out": False}
        assert system.http.patch("/stores/gangnam/menu/latte", json=sell_again).is_success
    assert fuse.burnt, f"never got to: {crash}"
    assert detail["cancel_reason"] == "sold_out"
    assert len(assert_agreed(system, order_id).money_moved) == 1


@around("append PickupRejected", "append acknowledgement")
def test_an_order_that_the_barista_gives_up_is_refunded(
    system: System, fuse: Fuse, crash: str
) -> None:
    order_id = accepted(system)
    fuse.light(crash, order_id)

    post(system, f"/pickups/{order_id}/reject", {"reason": "machine_broken"}, prefer=ASYNC)

    detail = reaches(system, order_id, "CANCELED")
    assert fuse.burnt, f"never got to: {crash}"
    assert (detail["cancel_reason"], detail["pickup_status"]) == ("machine_broken", "REJECTED")
    assert len(assert_agreed(system, order_id).money_moved) == 1
