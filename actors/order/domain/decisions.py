"""What an order decides: a state and a command give events. Start reading here.

`decide(order, command, now)` returns the events that the command causes, or raises `Rejected`. It
is pure; the order is the only arbiter of pay, cancel, accept, start, ready, complete, reject and
time-out. `order.py` folds the events into the next state.
"""

from datetime import datetime, timedelta
from typing import assert_never

from actors.contracts.errors import Invalid, NotFound, PriceChanged, Rejected
from actors.contracts.limits import MAX_ATTEMPTS
from actors.contracts.values import OrderStatus, PaymentStatus, PickupStatus
from actors.order.domain import commands as cmd
from actors.order.domain import events as ev
from actors.order.domain.order import CarriedOut, Order
from actors.order.domain.reasons import PAYMENT_TIMEOUT, code_of
from actors.order.domain.validation import check

PLACED, PAID, ACCEPTED = OrderStatus.PLACED, OrderStatus.PAID, OrderStatus.ACCEPTED
PREPARING, READY, PICKED_UP = OrderStatus.PREPARING, OrderStatus.READY, OrderStatus.PICKED_UP
CANCELING, CANCELED = OrderStatus.CANCELING, OrderStatus.CANCELED

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
    if order is None:
        if isinstance(command, cmd.PlaceOrder):
            return _place(command, now)
        raise NotFound("order_not_found", "There is no order with this id.")
    if isinstance(command, cmd.Placement):
        if order.body_hash != command.body_hash:
            raise Invalid("idempotency_mismatch", "This key was used for a different order.")
        return ()
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


def _place(command: cmd.PlaceOrder, now: datetime) -> tuple[ev.Event, ...]:
    check(command)
    within = command.pay_within_s
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
        # By one clock, that of the moments it is held against: another may be set meanwhile.
        payment_due=command.payment_due if within is None else now + timedelta(seconds=within),
    )
    return (placed, ev.PaymentRequested(1, total)) if command.pay else (placed,)


def _request(order: Order, command: cmd.Request, now: datetime) -> tuple[ev.Event, ...]:
    match command:
        case cmd.PayOrder():
            return _pay(order, command, now)
        case cmd.CancelOrder(reason=reason, by=by):
            return _cancel(order, code_of(reason, by), by)
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
        case _:
            assert_never(command)


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


def _cancel(order: Order, reason: str, by: str) -> tuple[ev.Event, ...]:
    if order.status in (CANCELING, CANCELED):
        return ()
    if order.status not in (PLACED, PAID, ACCEPTED):
        raise Rejected("not_cancelable", f"An order that is {order.status} cannot be cancelled.")
    return (ev.OrderCanceled(reason, by),)


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
