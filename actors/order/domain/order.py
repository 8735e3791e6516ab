"""The order: its state, what it decides, and how events change it. Start reading here.

`decide(order, command, now)` returns the events that the command causes, or raises `Rejected`.
`evolve(order, stored)` folds one stored event into the state. Both are pure; the order is the only
arbiter of pay, cancel, accept, start, ready, complete, reject and time-out.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from actors.contracts.errors import Invalid, NotFound, PriceChanged, Rejected
from actors.contracts.limits import MAX_ATTEMPTS
from actors.contracts.values import Line, OrderStatus, PaymentStatus, PickupStatus
from actors.order.domain import commands as cmd
from actors.order.domain import events as ev
from actors.order.domain.growing import GrowingMap
from actors.order.domain.reasons import PAYMENT_TIMEOUT, code_of
from actors.order.domain.rules import check

PLACED, PAID, ACCEPTED = OrderStatus.PLACED, OrderStatus.PAID, OrderStatus.ACCEPTED
PREPARING, READY, PICKED_UP = OrderStatus.PREPARING, OrderStatus.READY, OrderStatus.PICKED_UP
CANCELING, CANCELED = OrderStatus.CANCELING, OrderStatus.CANCELED

NO_REQUESTS: GrowingMap["CarriedOut"] = GrowingMap()
NO_PAYMENTS: GrowingMap[int] = GrowingMap()


class CarriedOut(NamedTuple):
    """A request that was carried out: what was asked, and the first event that it caused."""

    body: str
    first_event: str


class Order(NamedTuple):
    """An order as its events made it. `version` is the number of events folded.

    A named tuple, because evolving one costs a fifth of what a frozen dataclass costs, and a
    rebuild does nothing else.
    """

    order_id: str
    version: int
    customer_id: str
    store_id: str
    lines: tuple[Line, ...]
    total: int
    currency: str
    body_hash: str
    placed_at: datetime
    payment_due: datetime
    last_at: datetime
    placing_key: str
    """Key of the command that placed it."""
    requests: GrowingMap[CarriedOut]
    """Every request that was carried out, by its key (outcomes have none)."""
    paying: GrowingMap[int]
    """Key of every request that asked for a payment, and which attempt that was, from 1."""
    status: OrderStatus = PLACED
    payment: PaymentStatus = PaymentStatus.NONE
    pickup: PickupStatus = PickupStatus.NONE
    attempts: int = 0
    payment_id: str | None = None
    pickup_number: str | None = None
    estimated_ready_at: datetime | None = None
    cancel_reason: str | None = None
    paid_at: datetime | None = None
    accepted_at: datetime | None = None
    ready_at: datetime | None = None
    picked_up_at: datetime | None = None
    canceled_at: datetime | None = None
    ticket_version: int = 0
    """Version of the last event that the store's ticket has to follow; 0 before any."""
    erased: bool = False

    @property
    def finished(self) -> bool:
        """Nothing but the erasure of the customer can happen any more."""
        return self.status in (CANCELED, PICKED_UP)

    def attempt_status(self, command_id: str) -> PaymentStatus | None:
        """How the payment stands that this command asked for; None where it asked for none."""
        attempt = self.paying.get(cmd.parts_of(command_id)[0])
        if attempt is None:
            return None
        # Only after a declined payment is there another one.
        return self.payment if attempt == self.attempts else PaymentStatus.DECLINED

    @property
    def ticket_may_exist(self) -> bool:
        """The store was, or may have been, asked to make the order, and has not undone it."""
        return self.pickup in (PickupStatus.REQUESTED, PickupStatus.ACCEPTED)

    @property
    def charge_may_exist(self) -> bool:
        """The customer is, or may be, charged."""
        return self.payment in (PaymentStatus.PENDING, PaymentStatus.APPROVED)


# --- decide: a state and a command give events --------------------------------------------------

FIRST_EVENT: dict[type, str] = {
    cmd.PayOrder: "PaymentRequested",
    cmd.CancelOrder: "OrderCanceled",
    cmd.StartPreparation: "PreparationStarted",
    cmd.MarkReady: "PickupReady",
    cmd.CompletePickup: "PickedUp",
    cmd.RejectOrder: "PickupRejected",
    cmd.ExpirePayment: "OrderCanceled",
    cmd.EraseCustomer: "CustomerErased",
}


def decide(order: Order | None, command: cmd.Command, now: datetime) -> tuple[ev.Event, ...]:
    """Return the events that `command` causes; none where it was carried out before.

    A command id that is known gives no events: the caller answers from the state, which holds the
    original outcome. Outcomes that come late, twice or for another attempt give no events either.
    Only what caused events uses its key up: under the key of a request that found its work done,
    or was refused, nothing happened that another one could be mistaken for.

    Raises `Rejected` (not allowed in this state; `PriceChanged` for a total that was not
    expected), `Invalid` (not a valid request, or one key used for two) or `NotFound`.
    """
    if isinstance(command, cmd.PlaceOrder):
        return _place(order, command)
    if order is None:
        raise NotFound("order_not_found", "There is no order with this id.")
    if isinstance(command, cmd.Outcome):
        return _record(order, command, now)
    key, body = cmd.parts_of(command.id)
    known = order.requests.get(key)
    if known is None:
        check(command)
        return _request(order, command, now)
    if not _is_repeat(known, command, body):
        raise Invalid("idempotency_mismatch", "This key was used for another request.")
    return ()


def _is_repeat(known: CarriedOut, command: cmd.Request, body: str) -> bool:
    if known.body and body:
        return known.body == body
    # Journalled before the bodies' hashes were: what kind of request it was is all there is.
    return known.first_event == FIRST_EVENT.get(type(command))


def _place(order: Order | None, command: cmd.PlaceOrder) -> tuple[ev.Event, ...]:
    if order is not None:
        if order.body_hash != command.body_hash:
            raise Invalid("idempotency_mismatch", "This key was used for a different order.")
        return ()
    check(command)
    total = sum(line.amount for line in command.lines)
    if command.expected_total not in (None, total):
        raise PriceChanged(total)
    placed = ev.OrderPlaced(
        customer_id=command.customer_id,
        store_id=command.store_id,
        lines=command.lines,
        total=total,
        currency=command.currency,
        body_hash=command.body_hash,
        payment_due=command.payment_due,
    )
    return (placed, ev.PaymentRequested(1, total)) if command.pay else (placed,)


def _request(order: Order, command: cmd.Request, now: datetime) -> tuple[ev.Event, ...]:
    match command:
        case cmd.PayOrder():
            return _pay(order, command, now)
        case cmd.CancelOrder(reason=reason):
            return _cancel(order, code_of(reason, "customer"))
        case cmd.StartPreparation():
            return _move(order, ACCEPTED, PREPARING, ev.PreparationStarted())
        case cmd.MarkReady():
            return _move(order, PREPARING, READY, ev.PickupReady())
        case cmd.CompletePickup():
            return _move(order, READY, PICKED_UP, ev.PickedUp())
        case cmd.RejectOrder(reason=reason):
            return _reject(order, code_of(reason, "store"))
        case cmd.ExpirePayment():
            overdue = order.status is PLACED and now >= order.payment_due
            return (ev.OrderCanceled(PAYMENT_TIMEOUT, "system"),) if overdue else ()
        case cmd.EraseCustomer():
            return () if order.erased else (ev.CustomerErased(),)
    raise TypeError(f"no rule for {type(command).__name__}")


def _pay(order: Order, command: cmd.PayOrder, now: datetime) -> tuple[ev.Event, ...]:
    if order.status is not PLACED:
        raise Rejected("not_payable", f"An order that is {order.status} cannot be paid.")
    if order.payment is PaymentStatus.PENDING:
        raise Rejected("payment_in_progress", "A payment of this order is in progress.")
    if now >= order.payment_due:
        raise Rejected("payment_timeout", "The payment deadline of this order has passed.")
    if order.attempts >= MAX_ATTEMPTS:
        raise Rejected("too_many_attempts", f"{MAX_ATTEMPTS} payments of this order were declined.")
    if command.refusal is not None:
        raise Rejected(command.refusal, "Its store does not make this order now.")
    return (ev.PaymentRequested(order.attempts + 1, order.total),)


def _cancel(order: Order, reason: str) -> tuple[ev.Event, ...]:
    if order.status in (CANCELING, CANCELED):
        return ()
    if order.status not in (PLACED, PAID, ACCEPTED):
        raise Rejected("not_cancelable", f"An order that is {order.status} cannot be cancelled.")
    return (ev.OrderCanceled(reason, "customer"),)


def _move(
    order: Order, source: OrderStatus, target: OrderStatus, event: ev.Event
) -> tuple[ev.Event, ...]:
    if order.status is target:
        return ()
    if order.status is not source:
        raise Rejected("out_of_turn", f"The order is {order.status}; this needs {source}.")
    return (event,)


def _reject(order: Order, reason: str) -> tuple[ev.Event, ...]:
    if order.pickup is PickupStatus.REJECTED:
        return ()
    if order.status not in (ACCEPTED, PREPARING, READY):
        raise Rejected("out_of_turn", f"An order that is {order.status} cannot be rejected.")
    return (ev.PickupRejected(reason), ev.OrderCanceled(reason, "store"))


def _record(order: Order, outcome: cmd.Outcome, now: datetime) -> tuple[ev.Event, ...]:
    """Turn what payment or store answered into an event, unless it no longer says anything new."""
    match outcome:
        case cmd.RecordApproval(attempt=attempt) if _awaited(order, attempt):
            return (ev.PaymentApproved(attempt, outcome.payment_id),)
        case cmd.RecordDecline(attempt=attempt) if _awaited(order, attempt):
            return (ev.PaymentDeclined(attempt, outcome.payment_id),)
        # While CANCELING the store's answer changes nothing: its ticket is undone in any case.
        case cmd.RecordTicket() if order.status is PAID:
            # The store's clock may be behind: nothing is ready before it was accepted.
            return (ev.PickupStarted(outcome.number, max(now, outcome.estimated_ready_at)),)
        case cmd.RecordTicketRejection(reason=reason) if order.status is PAID:
            return (ev.PickupRejected(reason), ev.OrderCanceled(reason, "store"))
        case cmd.RecordTicketCanceled() if order.status is CANCELING and _undoable(order):
            return (ev.PickupCanceled(),)
        case cmd.RecordPaymentCanceled() if order.status is CANCELING and order.charge_may_exist:
            return (ev.PaymentCanceled(outcome.payment_id),)
    return ()


def _undoable(order: Order) -> bool:
    # NONE: its charge had been approved, and a ticket asked for before that was written down.
    return order.ticket_may_exist or order.pickup is PickupStatus.NONE


def _awaited(order: Order, attempt: int) -> bool:
    return order.payment is PaymentStatus.PENDING and attempt == order.attempts


# --- evolve: a state and an event give the next state -------------------------------------------


def evolve(order: Order | None, stored: ev.StoredEvent) -> Order:
    """Fold one stored event into the state.

    Raises `ValueError` where the event is not the order's next one: a journal with a gap must
    stop its reader, not mislead it.
    """
    expected = 1 if order is None else order.version + 1
    if stored.version != expected:
        raise ValueError(f"order {stored.order_id}: version {stored.version} after {expected - 1}")
    if order is None:
        if not isinstance(stored.event, ev.OrderPlaced):
            raise ValueError(f"order {stored.order_id} does not begin with OrderPlaced")
        return _placed(stored, stored.event)
    requests = order.requests
    key, body = cmd.parts_of(stored.command_id)
    if key:
        requests = requests.plus(key, CarriedOut(body, type(stored.event).__name__))
    changes = _payment_changes(order, stored) or _pickup_changes(order, stored)
    order = order._replace(version=stored.version, last_at=stored.at, requests=requests, **changes)
    # CANCELED is derived: the moment when nothing is left to undo.
    if order.status is CANCELING and not (order.ticket_may_exist or order.charge_may_exist):
        return order._replace(status=CANCELED, canceled_at=stored.at)
    return order


def fold(history: Iterable[ev.StoredEvent], order: Order | None = None) -> Order | None:
    """Fold events, in order of version, onto a state."""
    for stored in history:
        order = evolve(order, stored)
    return order


def _placed(stored: ev.StoredEvent, event: ev.OrderPlaced) -> Order:
    key, body = cmd.parts_of(stored.command_id)
    return Order(
        order_id=stored.order_id,
        version=stored.version,
        customer_id=event.customer_id,
        store_id=event.store_id,
        lines=event.lines,
        total=event.total,
        currency=event.currency,
        body_hash=event.body_hash,
        placed_at=stored.at,
        payment_due=event.payment_due,
        last_at=stored.at,
        placing_key=key,
        requests=NO_REQUESTS.plus(key, CarriedOut(body, "OrderPlaced")),
        paying=NO_PAYMENTS,
    )


def _payment_changes(order: Order, stored: ev.StoredEvent) -> dict[str, Any]:
    match stored.event:
        case ev.PaymentRequested():
            attempts = order.attempts + 1
            paying = order.paying.plus(cmd.parts_of(stored.command_id)[0], attempts)
            return {"payment": PaymentStatus.PENDING, "attempts": attempts, "paying": paying}
        case ev.PaymentApproved(payment_id=payment_id):
            # An approval that comes while CANCELING is recorded, and then undone.
            paid = {"status": PAID, "pickup": PickupStatus.REQUESTED}
            return {
                "payment": _ended(order, PaymentStatus.APPROVED),
                "payment_id": payment_id,
                "paid_at": stored.at,
                **(paid if order.status is PLACED else {}),
            }
        case ev.PaymentDeclined(payment_id=payment_id):
            return {"payment": _ended(order, PaymentStatus.DECLINED), "payment_id": payment_id}
        case ev.PaymentCanceled(payment_id=payment_id):
            known_id = payment_id or order.payment_id
            return {"payment": _ended(order, PaymentStatus.CANCELED), "payment_id": known_id}
    return {}


def _ended(order: Order, status: PaymentStatus) -> PaymentStatus:
    if not order.attempts:
        raise ValueError(f"order {order.order_id}: a payment {status} that was never asked for")
    return status


def _pickup_changes(order: Order, stored: ev.StoredEvent) -> dict[str, Any]:
    moved = {"ticket_version": stored.version}
    match stored.event:
        case ev.PickupStarted(number=number, estimated_ready_at=estimate):
            return {
                "status": ACCEPTED,
                "pickup": PickupStatus.ACCEPTED,
                "pickup_number": number,
                "estimated_ready_at": estimate,
                "accepted_at": stored.at,
            }
        case ev.PreparationStarted():
            return {"status": PREPARING, "pickup": PickupStatus.PREPARING, **moved}
        case ev.PickupReady():
            return {
                "status": READY,
                "pickup": PickupStatus.READY,
                "ready_at": stored.at,
                **moved,
            }
        case ev.PickedUp():
            return {
                "status": PICKED_UP,
                "pickup": PickupStatus.PICKED_UP,
                "picked_up_at": stored.at,
                **moved,
            }
        case ev.PickupRejected():
            # What the store itself answered is in its books already; the barista's word is not.
            told = order.status is PAID
            return {"pickup": PickupStatus.REJECTED, **({} if told else moved)}
        case ev.PickupCanceled():
            return {"pickup": PickupStatus.CANCELED}
        case ev.OrderCanceled(reason=reason):
            return {"status": CANCELING, "cancel_reason": reason}
        case ev.CustomerErased():
            # While a charge may exist, so may a ticket, with a name on it.
            told = order.pickup is not PickupStatus.NONE or order.charge_may_exist
            return {"erased": True, **(moved if told else {})}
    return {}
