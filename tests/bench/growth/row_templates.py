"""One order's rows with ids and times left open, so that a million more cost a substitution each.

The rows are what domain, ledger, store and projection themselves make of a life.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from actors.contracts.messages import ChargeRequest, TicketCancellation, TicketRequest, TicketUpdate
from actors.contracts.values import PaymentStatus, PickupStatus
from actors.order.domain import commands as cmd
from actors.order.domain import events as ev
from actors.order.domain.decisions import decide
from actors.order.domain.order import Order, evolve
from actors.order.domain.saga import due_at
from actors.order.event_codec import encode_event
from actors.payment.ledger import Payment
from actors.runtime.clock import to_micros
from actors.store.demo_stores import menu_rows, store_rows
from actors.store.tickets import Books, MenuRow, StoreRow, Ticket
from actors.store.tickets import decide as keep_books
from readmodel.folding import Folded, row_of
from tests.bench.growth import lives
from tests.bench.growth.lives import Life

BASE_S = int(lives.BASE.timestamp())
OPEN = re.compile(r"@(\w+)@")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
NOT_ASKED = (PaymentStatus.NONE, PaymentStatus.PENDING)


@dataclass(frozen=True, slots=True)
class EventStencil:
    """One event. `command` is an index of `lives.COMMANDS`, `at` microseconds of an order at BASE.

    `text` is a %-format over the names in @ and over `Stencil.times`.
    """

    version: int
    tag: str
    schema_version: int
    text: str
    at: int
    command: int


@dataclass(frozen=True, slots=True)
class Stencil:
    """All rows of an order, None where there is none; times are those of an order at BASE.

    `due` and all other times are microseconds; `times` maps names in texts to seconds after
    placement. `charge` is the provider's status.
    """

    store_id: str
    events: tuple[EventStencil, ...]
    token: str | None
    due: int | None
    payment: Payment | None
    charge: str | None
    ticket: Ticket | None
    status: str
    body: str
    times: tuple[tuple[str, int], ...]


def cut(life: Life) -> Stencil:
    """Live a life, and return the stencil of its rows."""
    history, order = _live(life)
    placing = life[0][1]
    assert isinstance(placing, cmd.PlaceOrder)
    pending = order.payment is PaymentStatus.PENDING
    person = replace(placing.private, tel=lives.TEL, payment_token=None)
    body: str = row_of(Folded(1, len(history), order, person))["body"]
    encoded = [encode_event(stored.event) for stored in history]
    due, payment = due_at(order, order.ticket_version), _payment(order, history)
    return Stencil(
        store_id=order.store_id,
        events=tuple(map(_event, history, encoded)),
        token=placing.private.payment_token if pending else None,
        due=None if due is None else to_micros(due),
        payment=payment,
        charge=None if payment is None else payment.status,
        ticket=_ticket(order, history),
        status=order.status,
        body=_opened(body),
        times=_times([body, *(text for _, _, text in encoded)]),
    )


def _live(life: Life) -> tuple[list[ev.StoredEvent], Order]:
    order: Order | None = None
    history: list[ev.StoredEvent] = []
    for seconds, command in life:
        now = lives.at(seconds)
        for event in decide(order, command, now):
            stored = ev.StoredEvent(lives.ORDER_ID, len(history) + 1, event, now, command.id)
            history.append(stored)
            order = evolve(order, stored)
    assert order is not None
    return history, order


def _event(stored: ev.StoredEvent, encoded: tuple[str, int, str]) -> EventStencil:
    tag, schema_version, text = encoded
    command = lives.COMMANDS.index(stored.command_id)
    at = to_micros(stored.at)
    return EventStencil(stored.version, tag, schema_version, _opened(text), at, command)


def _payment(order: Order, history: Sequence[ev.StoredEvent]) -> Payment | None:
    """Return what the ledger makes of the life; None where it was not asked yet."""
    if order.payment in NOT_ASKED:
        return None
    request = ChargeRequest(order.order_id, 1, order.total, order.currency, lives.TOKEN)
    was_declined = order.payment is PaymentStatus.DECLINED
    charge = PaymentStatus.DECLINED if was_declined else PaymentStatus.APPROVED
    payment = Payment(order.order_id).charged(request, charge, to_micros(history[2].at))
    if order.payment is PaymentStatus.CANCELED:
        now = to_micros(order.last_at)
        payment = payment.refuse(1, now).refunded(now)
    return payment


def _ticket(order: Order, history: Sequence[ev.StoredEvent]) -> Ticket | None:
    """Return what the store's books make of the life; None where it was never asked."""
    if order.pickup is PickupStatus.NONE:
        return None
    books = _empty_books(order.store_id)
    request = TicketRequest(order.order_id, order.store_id, order.lines, lives.NAME)
    keep_books(books, request, history[3].at)
    end: datetime = order.last_at
    if order.pickup is PickupStatus.CANCELED:
        keep_books(books, TicketCancellation(order.order_id, order.store_id), end)
    else:
        update = TicketUpdate(order.order_id, order.pickup, order.ticket_version, erase=False)
        keep_books(books, update, end)
    return books.tickets[order.order_id]


def _empty_books(store_id: str) -> Books:
    stores = [msgspec.convert(row, StoreRow) for row in store_rows()]
    menu = [msgspec.convert(row, MenuRow) for row in menu_rows()]
    return Books(
        stores={store.store_id: store for store in stores if store.store_id == store_id},
        menu={(item.store_id, item.menu_id): item for item in menu if item.store_id == store_id},
    )


def _opened(text: str) -> str:
    """Return a text as %-format: over the names in @, and over a name for each time."""
    named = OPEN.sub(r"%(\1)s", text.replace("%", "%%"))
    return TIME.sub(lambda found: f"%({_name(found[0])})s", named)


def _times(texts: Sequence[str]) -> tuple[tuple[str, int], ...]:
    found = {time for text in texts for time in TIME.findall(text)}
    return tuple((_name(time), _seconds(time)) for time in sorted(found))


def _name(time: str) -> str:
    return f"t{_seconds(time)}"


def _seconds(time: str) -> int:
    return int(datetime.fromisoformat(f"{time}+00:00").timestamp()) - BASE_S
