"""The order: its state, and how events change it.

`evolve(order, stored)` folds one stored event into the state. It is pure; what may happen to an
order is decided in `decisions.py`.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import NamedTuple, assert_never

from actors.contracts.values import Line, OrderStatus, PaymentStatus, PickupStatus
from actors.order.domain import events as ev
from actors.order.domain.commands import parts_of
from actors.order.domain.growing import GrowingMap

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
        attempt = self.paying.get(parts_of(command_id)[0])
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
    order = _changed(order, stored)
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
    key, body = parts_of(stored.command_id)
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


def _changed(order: Order, stored: ev.StoredEvent) -> Order:  # noqa: C901, PLR0911, PLR0912 - a case an event
    _, version, event, at, command_id = stored
    key, body = parts_of(command_id)
    requests = order.requests
    if key:
        requests = requests.plus(key, CarriedOut(body, type(event).__name__))
    # One `_replace` an event: a second one would cost as much as the first.
    after = partial(order._replace, version=version, last_at=at, requests=requests)
    match event:
        case ev.PaymentRequested():
            attempts = order.attempts + 1
            paying = order.paying.plus(key, attempts)
            return after(payment=PaymentStatus.PENDING, attempts=attempts, paying=paying)
        case ev.PaymentApproved(payment_id=payment_id):
            approved = _ended(order, PaymentStatus.APPROVED)
            if order.status is not PLACED:  # it comes while CANCELING: recorded, and then undone
                return after(payment=approved, payment_id=payment_id, paid_at=at)
            return after(
                status=PAID,
                payment=approved,
                pickup=PickupStatus.REQUESTED,
                payment_id=payment_id,
                paid_at=at,
            )
        case ev.PaymentDeclined(payment_id=payment_id):
            return after(payment=_ended(order, PaymentStatus.DECLINED), payment_id=payment_id)
        case ev.PaymentCanceled(payment_id=payment_id):
            known_id = payment_id or order.payment_id
            return after(payment=_ended(order, PaymentStatus.CANCELED), payment_id=known_id)
        case ev.PickupStarted(number=number, estimated_ready_at=estimate):
            return after(
                status=ACCEPTED,
                pickup=PickupStatus.ACCEPTED,
                pickup_number=number,
                estimated_ready_at=estimate,
                accepted_at=at,
            )
        case ev.PreparationStarted():
            return after(status=PREPARING, pickup=PickupStatus.PREPARING, ticket_version=version)
        case ev.PickupReady():
            ready = PickupStatus.READY
            return after(status=READY, pickup=ready, ready_at=at, ticket_version=version)
        case ev.PickedUp():
            gone = PickupStatus.PICKED_UP
            return after(status=PICKED_UP, pickup=gone, picked_up_at=at, ticket_version=version)
        case ev.PickupRejected():
            # What the store itself answered is in its books already; the barista's word is not.
            to_follow = order.ticket_version if order.status is PAID else version
            return after(pickup=PickupStatus.REJECTED, ticket_version=to_follow)
        case ev.PickupCanceled():
            return after(pickup=PickupStatus.CANCELED)
        case ev.OrderCanceled(reason=reason):
            return after(status=CANCELING, cancel_reason=reason)
        case ev.CustomerErased():
            # While a charge may exist, so may a ticket, with a name on it.
            told = order.pickup is not PickupStatus.NONE or order.charge_may_exist
            return after(erased=True, ticket_version=version if told else order.ticket_version)
        case ev.OrderPlaced():
            raise ValueError(f"order {stored.order_id} is placed twice")
        case _:
            assert_never(event)


def _ended(order: Order, status: PaymentStatus) -> PaymentStatus:
    if not order.attempts:
        raise ValueError(f"order {order.order_id}: a payment {status} that was never asked for")
    return status
