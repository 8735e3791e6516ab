"""kill -9 of the real actor process just before and just after each append and each step.

Each test sends one order to each of its points, all at the same time, so that every order also
lives through the crashes of all others. Commands are sent with `respond-async`: what comes after
their own append, the order does by itself, with no request under way that could wake it.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest

from actors.order.ids import new_order_id
from tests.chaos.crashing import Fuse, fragile
from tests.support.outside import (
    ASYNC,
    Books,
    Detail,
    accepted,
    assert_agreed,
    card,
    history,
    new_order,
    place,
    post,
    reaches,
)
from tests.support.system import System

pytestmark = pytest.mark.timeout(400)

WITHIN_S = 240.0
EVERY_S = 0.5
PAYING = ("step AuthorizePayment", "provider authorize", "ledger charged")
# The store dies with the ticket, so the approval is written down alone, and the ticket after it.
LATE_TICKET = "before store TicketRequest"
ALONE = tuple(
    f"{LATE_TICKET},{{}} {point}" for point in ("step OpenTicket", "append PickupStarted")
)
UNDOING_TICKET = ("step CancelTicket", "store TicketCancellation")
REFUNDING = ("step CancelPayment", "ledger refuse", "provider cancel", "ledger refunded")
TELLING = ("step UpdateTicket", "store TicketUpdate", "append acknowledgement")
BUTTONS = {"start": "PreparationStarted", "ready": "PickupReady", "complete": "PickedUp"}


@pytest.fixture(scope="module")
def fuse(system: System) -> Iterator[Fuse]:
    with fragile(system) as fuse:
        yield fuse


def crash_around(journey: Callable[[str], None], *points: str) -> None:
    """Make the journey with a crash before, and with one after, each point."""

    def crash(at: str) -> None:
        try:
            journey(at)
        except Exception as error:
            error.add_note(f"the crash: {at}")
            raise

    crashes = [_at(when, point) for point in points for when in ("before", "after")]
    with ThreadPoolExecutor(len(crashes)) as customers:
        list(customers.map(crash, crashes))


def _at(when: str, point: str) -> str:
    return point.format(when) if "{}" in point else f"{when} {point}"


def ends(system: System, fuse: Fuse, order_id: str, status: str) -> tuple[Detail, Books]:
    """Wait until an order that was crashed upon is right, and return what is known of it."""
    detail = reaches(system, order_id, status, WITHIN_S, EVERY_S)
    assert fuse.burnt(order_id), "it never got to this point"
    return detail, assert_agreed(system, order_id)


def test_a_paid_order_is_accepted(system: System, fuse: Fuse) -> None:
    def journey(crash: str) -> None:
        order, key = new_order(), uuid4().hex
        fuse.light(crash, new_order_id(fuse.installation, order["customer"]["id"], key))
        order_id = place(system, order, key=key, prefer=ASYNC)["order_id"]
        _, books = ends(system, fuse, order_id, "ACCEPTED")
        assert (len(books.charges), len(books.tickets)) == (1, 1)
        saga = ["OrderPlaced", "PaymentRequested", "PaymentApproved", "PickupStarted"]
        assert history(system, order_id) == saga

    points = ("append OrderPlaced", *PAYING, "append PaymentApproved", "store TicketRequest")
    crash_around(journey, *points, *ALONE)


def test_a_cancelled_order_is_undone_ticket_first(system: System, fuse: Fuse) -> None:
    def journey(crash: str) -> None:
        order_id = accepted(system)
        fuse.light(crash, order_id)
        post(system, f"/orders/{order_id}/cancel", prefer=ASYNC)
        _, books = ends(system, fuse, order_id, "CANCELED")
        assert (len(books.charges), len(books.tickets)) == (1, 1)
        undone = ["OrderCanceled", "PickupCanceled", "PaymentCanceled"]
        assert history(system, order_id)[-3:] == undone

    points = ("append OrderCanceled", *UNDOING_TICKET, "append PickupCanceled", *REFUNDING)
    crash_around(journey, *points, "append PaymentCanceled")


@pytest.mark.parametrize("button", BUTTONS)
def test_the_barista_s_word_reaches_journal_and_ticket(
    system: System, fuse: Fuse, button: str
) -> None:
    def journey(crash: str) -> None:
        order_id = accepted(system)
        for pressed in BUTTONS:
            if pressed == button:
                fuse.light(crash, order_id)
            path = f"/pickups/{order_id}/{pressed}"
            assert post(system, path, prefer=ASYNC).status_code == 200
            if pressed == button:
                reaches(system, order_id, MOVED[button], WITHIN_S, EVERY_S)
        ends(system, fuse, order_id, "PICKED_UP")
        assert history(system, order_id)[-3:] == list(BUTTONS.values())

    # What follows the append is the same for all three: once is enough.
    crash_around(journey, f"append {BUTTONS[button]}", *(TELLING if button == "complete" else ()))


MOVED = {"start": "PREPARING", "ready": "READY", "complete": "PICKED_UP"}


def test_a_declined_order_can_be_paid_again(system: System, fuse: Fuse) -> None:
    def journey(crash: str) -> None:
        order, key = new_order("tok_decline"), uuid4().hex
        fuse.light(crash, new_order_id(fuse.installation, order["customer"]["id"], key))
        order_id = place(system, order, key=key, prefer=ASYNC)["order_id"]
        detail, _ = ends(system, fuse, order_id, "PLACED")
        assert detail["payment_status"] == "DECLINED"
        post(system, f"/orders/{order_id}/payment", card(), prefer=ASYNC)
        ends(system, fuse, order_id, "ACCEPTED")

    crash_around(journey, "provider authorize", "ledger charged", "append PaymentDeclined")


def test_the_second_attempt_charges_once(system: System, fuse: Fuse) -> None:
    def journey(crash: str) -> None:
        order_id = place(system, new_order("tok_decline"))["order_id"]
        fuse.light(crash, order_id)
        post(system, f"/orders/{order_id}/payment", card(), prefer=ASYNC)
        _, books = ends(system, fuse, order_id, "ACCEPTED")
        assert books.payments[0]["attempts"] == 2
        assert sorted(charge["status"] for charge in books.charges) == ["APPROVED", "DECLINED"]

    crash_around(journey, "append PaymentRequested", *PAYING)


def test_an_order_that_the_store_refuses_is_refunded(system: System, fuse: Fuse) -> None:
    """It sells out while the card is charged: what is known before is not charged at all."""
    latte = "/stores/gangnam/menu/latte"

    def journey(crash: str) -> None:
        order_id = unpaid.pop()
        fuse.light(crash, order_id)
        post(system, f"/orders/{order_id}/payment", card("tok_slow_2000"), prefer=ASYNC)
        all_paying.wait(WITHIN_S)
        assert system.http.patch(latte, json={"sold_out": True}).is_success
        detail, books = ends(system, fuse, order_id, "CANCELED")
        assert detail["cancel_reason"] == "sold_out"
        assert len(books.money_moved) == 1

    points = ("store TicketRequest", "append PaymentApproved")
    order = {"items": [{"menu_id": "latte", "quantity": 1}]}
    unpaid = [place(system, new_order(None, **order))["order_id"] for _ in points * 2]
    all_paying = Barrier(len(unpaid))
    try:
        crash_around(journey, *points)
    finally:
        assert system.http.patch(latte, json={"sold_out": False}).is_success


def test_an_order_that_the_barista_gives_up_is_refunded(system: System, fuse: Fuse) -> None:
    def journey(crash: str) -> None:
        order_id = accepted(system)
        fuse.light(crash, order_id)
        given_up = {"reason": "machine_broken"}
        post(system, f"/pickups/{order_id}/reject", given_up, prefer=ASYNC)
        detail, books = ends(system, fuse, order_id, "CANCELED")
        assert (detail["cancel_reason"], detail["pickup_status"]) == ("machine_broken", "REJECTED")
        assert len(books.money_moved) == 1

    crash_around(journey, "append PickupRejected", *TELLING, "step CancelPayment")
