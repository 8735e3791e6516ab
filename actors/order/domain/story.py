"""An order's life as a person would tell it: what, when, by whom, how long, and what it waits for.

Told from its events and its failures, so it can be told whatever is down. Pure; others put it into
words.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from actors.contracts.values import OrderStatus, PaymentStatus
from actors.order.domain import events as ev
from actors.order.domain.failure import LOAD, VIEW, Failure
from actors.order.domain.order import Order, evolve
from actors.order.domain.saga import next_steps, work_of

STUCK_AFTER = timedelta(seconds=60)
"""Whoever should have gone on for so long is stuck: see `siren orders --stuck`."""
UNTOLD = ("body_hash",)
BY: dict[type, str] = {
    ev.OrderPlaced: "customer",
    ev.PaymentRequested: "customer",
    ev.PaymentApproved: "payment",
    ev.PaymentDeclined: "payment",
    ev.PaymentCanceled: "payment",
    ev.PickupStarted: "store",
    ev.PickupRejected: "store",
    ev.PickupCanceled: "store",
    ev.PreparationStarted: "barista",
    ev.PickupReady: "barista",
    ev.PickedUp: "barista",
    ev.CustomerErased: "owner",
}


@dataclass(frozen=True, slots=True)
class Happening:
    """An event: `by` customer, barista, store, payment, owner or system (its clock).

    `after_s`: seconds since what came before. `took_s`: seconds that the step took whose outcome
    this is, and `tries` how often it was tried, as far as is known; None where it is no step's.
    """

    version: int
    type: str
    at: datetime
    by: str
    after_s: float | None
    took_s: float | None
    tries: int | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wait:
    """What an order waits for: a step, or what people do (`Customer…`, `Barista…`).

    `until`: when that ends at the latest, or is expected to. `tries`, `failing_since`, `cause`: how
    it fails, where it does; `set_aside`: it goes on once something is mended. `stuck`: no progress
    that was due.
    """

    what: str
    began_at: datetime
    until: datetime | None = None
    tries: int = 0
    failing_since: datetime | None = None
    code: str | None = None
    cause: str | None = None
    set_aside: bool = False
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """The whole; `untold` says why it ends before its time, where it does."""

    order_id: str
    version: int
    store_id: str | None
    order_status: OrderStatus | None
    payment_status: PaymentStatus | None
    happened: tuple[Happening, ...]
    waits: tuple[Wait, ...]
    untold: str | None = None


def tell(
    order_id: str,
    history: Sequence[ev.StoredEvent],
    failures: Sequence[Failure],
    now: datetime,
    *,
    confirmed: bool = True,
    untold: str | None = None,
) -> Story:
    """Tell an order's life as far as its events can be folded.

    `confirmed`: the store has confirmed the last update of its ticket. `untold`: why there may be
    more than `history` has.
    """
    order: Order | None = None
    told: list[Happening] = []
    begun: dict[str, datetime] = {}
    for stored in history:
        before = order
        try:
            order = evolve(order, stored)
        except Exception as error:  # noqa: BLE001 - whatever it is, the story ends here
            untold = (
                f"event {stored.version}, {type(stored.event).__name__}, does not fit ({error})"
            )
            break
        outstanding = {work_of(step) for step in next_steps(order, order.ticket_version)}
        done = [work for work in begun if work not in outstanding]
        told.append(_happening(stored, before, done, begun, failures))
        begun = {work: begun.get(work, stored.at) for work in outstanding}
    waits = waits_of(order, failures, now, confirmed=confirmed) if untold is None else ()
    return Story(
        order_id,
        0 if order is None else order.version,
        None if order is None else order.store_id,
        None if order is None else order.status,
        None if order is None else order.payment,
        tuple(told),
        (*waits, *_unread(failures, now)),
        untold,
    )


def _happening(
    stored: ev.StoredEvent,
    before: Order | None,
    done: list[str],
    begun: dict[str, datetime],
    failures: Sequence[Failure],
) -> Happening:
    data = {name: value for name, value in asdict(stored.event).items() if name not in UNTOLD}
    work = done[0] if done and not isinstance(stored.event, ev.OrderCanceled) else None
    failed = sum(failure.tries for failure in failures if failure.work == work)
    return Happening(
        stored.version,
        type(stored.event).__name__,
        stored.at,
        _by(stored.event, before),
        None if before is None else (stored.at - before.last_at).total_seconds(),
        None if work is None else (stored.at - begun[work]).total_seconds(),
        None if work is None else failed + 1,
        data,
    )


def _by(event: ev.Event, before: Order | None) -> str:
    if isinstance(event, ev.OrderCanceled):
        in_person = before is not None and before.accepted_at is not None
        return "barista" if event.by == "store" and in_person else event.by
    if isinstance(event, ev.PickupRejected) and before and before.status is not OrderStatus.PAID:
        return "barista"
    return BY[type(event)]


def waits_of(
    order: Order | None, failures: Sequence[Failure], now: datetime, *, confirmed: bool
) -> list[Wait]:
    """Return what is outstanding, and what people have still to do."""
    if order is None:
        return []
    steps = next_steps(order, order.ticket_version if confirmed else 0)
    lasting = {failure.work: failure for failure in failures if failure.ended_at is None}
    found = [_step_wait(work_of(step), order, lasting, now) for step in steps]
    return found or _people(order, now)


def _step_wait(work: str, order: Order, lasting: dict[str, Failure], now: datetime) -> Wait:
    failure = lasting.get(work)
    paying = order.status is OrderStatus.PLACED
    until = order.payment_due if paying else None
    stuck = now - order.last_at >= STUCK_AFTER
    if failure is None:
        return Wait(work, order.last_at, until, stuck=stuck)
    return _failing(work, order.last_at, failure, until, stuck=stuck or failure.set_aside)


def _failing(
    what: str, since: datetime, failure: Failure, until: datetime | None = None, *, stuck: bool
) -> Wait:
    return Wait(
        what,
        since,
        until,
        failure.tries,
        failure.since,
        failure.code,
        failure.cause,
        failure.set_aside,
        stuck,
    )


def _people(order: Order, now: datetime) -> list[Wait]:
    match order.status:
        case OrderStatus.PLACED:
            late = now - order.payment_due >= STUCK_AFTER
            return [Wait("CustomerPays", order.last_at, order.payment_due, stuck=late)]
        case OrderStatus.ACCEPTED:
            return [Wait("BaristaBegins", order.last_at, order.estimated_ready_at)]
        case OrderStatus.PREPARING:
            return [Wait("BaristaIsDone", order.last_at, order.estimated_ready_at)]
        case OrderStatus.READY:
            return [Wait("CustomerPicksUp", order.last_at)]
    return []


def _unread(failures: Sequence[Failure], now: datetime) -> list[Wait]:
    """Return what keeps the order from being read, or shown."""
    return [
        _failing(failure.work, failure.since, failure, stuck=now >= failure.since)
        for failure in failures
        if failure.work in (LOAD, VIEW) and failure.ended_at is None
    ]
