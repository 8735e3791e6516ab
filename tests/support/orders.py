"""Words for tests about one order: its ids and times, and given events / when command."""

from datetime import UTC, datetime, timedelta

from actors.contracts.values import Line, PrivateData
from actors.order.domain import commands as cmd
from actors.order.domain import events as ev
from actors.order.domain.decisions import decide
from actors.order.domain.order import Order, fold

ORDER_ID = "0123456789abcdef0123456789abcdef"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DUE = NOON + timedelta(minutes=15)
LINES = (Line("americano", "Americano", 2, 4500), Line("bagel", "Bagel", 1, 3500))
TOTAL = 12_500
PRIVATE = PrivateData("영욱", "010-1234-5678", "tok_approve")

PLACED = ev.OrderPlaced("c-17", "gangnam", LINES, TOTAL, "KRW", "hash", DUE)
REQUESTED = ev.PaymentRequested(1, TOTAL)
APPROVED = ev.PaymentApproved(1, "pay-1")
DECLINED = ev.PaymentDeclined(1, "pay-1")
ACCEPTED = ev.PickupStarted("A-042", NOON + timedelta(minutes=7))
STARTED, READY, PICKED_UP = ev.PreparationStarted(), ev.PickupReady(), ev.PickedUp()
CANCELED = ev.OrderCanceled("customer_request", "customer")
TICKET_UNDONE = ev.PickupCanceled()
CHARGE_UNDONE = ev.PaymentCanceled("pay-1")
ERASED = ev.CustomerErased()

Life = tuple[ev.Event, ...]
PAID_LIFE: Life = (PLACED, REQUESTED, APPROVED)
ACCEPTED_LIFE: Life = (*PAID_LIFE, ACCEPTED)
PREPARING_LIFE: Life = (*ACCEPTED_LIFE, STARTED)
READY_LIFE: Life = (*PREPARING_LIFE, READY)
PICKED_UP_LIFE: Life = (*READY_LIFE, PICKED_UP)
CANCELED_LIFE: Life = (*ACCEPTED_LIFE, CANCELED, TICKET_UNDONE, CHARGE_UNDONE)


def place(
    command_id: str = "place", *, pay: bool = True, body_hash: str = "hash"
) -> cmd.PlaceOrder:
    """Return the command that causes `PLACED`, and `REQUESTED` where it pays."""
    return cmd.PlaceOrder(command_id, "c-17", "gangnam", LINES, "KRW", body_hash, DUE, pay, PRIVATE)


def stored(event: ev.Event, version: int, command_id: str = "") -> ev.StoredEvent:
    """Return an event in its envelope: one second passes between two versions."""
    return ev.StoredEvent(ORDER_ID, version, event, at(version), command_id)


def at(version: int) -> datetime:
    """Return when the event of this version was stored."""
    return NOON + timedelta(seconds=version - 1)


def history(*events: ev.Event, command_id: str = "") -> tuple[ev.StoredEvent, ...]:
    """Return an order's events in their envelopes; the first one was caused by "place"."""
    return tuple(
        stored(event, version, "place" if version == 1 else command_id)
        for version, event in enumerate(events, start=1)
    )


def given(*events: ev.Event, command_id: str = "") -> Order:
    """Return the order as these events made it."""
    order = fold(history(*events, command_id=command_id))
    assert order is not None
    return order


def when(order: Order | None, command: cmd.Command, now: datetime = NOON) -> tuple[ev.Event, ...]:
    """Return the events that the command causes."""
    return decide(order, command, now)
