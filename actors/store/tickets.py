"""What the store decides, as functions on the few rows that a batch of messages concerns.

Knows no database. The order is the only arbiter of its life: the store opens a ticket or refuses
it, and from then on follows.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from actors.contracts.errors import NotFound
from actors.contracts.messages import (
    Done,
    MenuItemChange,
    StoreChange,
    TicketCancellation,
    TicketReply,
    TicketRequest,
    TicketUpdate,
)
from actors.contracts.values import Line, PickupStatus
from actors.runtime.clock import from_micros, to_micros
from actors.runtime.message_codec import to_json
from actors.store.offer import is_full, refusal
from actors.store.pickup_numbers import Numbering, pickup_number
from actors.store.validation import check_capacity, check_price

StoreMessage = TicketRequest | TicketUpdate | TicketCancellation | StoreChange | MenuItemChange
StoreReply = TicketReply | Done

QUEUED = (PickupStatus.ACCEPTED, PickupStatus.PREPARING)
STANDING = (*QUEUED, PickupStatus.READY)
"""On the store's board."""


class StoreRow(Struct, frozen=True):
    """A store; `queued` counts its tickets ACCEPTED or PREPARING, `ready` those READY.

    `last_number` is the place of the newest pick-up number of `number_day`, a local date; "" before
    any. `numbering` is JSON, see there.
    """

    store_id: str
    time_zone: str
    open: bool
    capacity: int | None
    prepare_s: int
    queued: int
    ready: int
    number_day: str
    last_number: int
    numbering: str | None = None

    @property
    def full(self) -> bool:
        """Whether as many tickets as the store allows are waiting, being made or uncollected."""
        return is_full(self.capacity, self.queued + self.ready)

    @property
    def estimated_wait_s(self) -> int:
        """Seconds until a ticket that is opened now will be ready."""
        return self.prepare_s * (self.queued + 1)


class MenuRow(Struct, frozen=True):
    """What can change of a menu item; `price` is in the minor unit."""

    store_id: str
    menu_id: str
    price: int
    sold_out: bool


class Ticket(Struct, frozen=True):
    """A ticket, a refusal, or a tombstone (CANCELED without a number). Times in microseconds."""

    order_id: str
    store_id: str
    status: str
    updated_at: int
    number: str | None = None
    day: str | None = None
    version: int = 0
    items: str = "[]"
    customer_name: str | None = None
    reason: str | None = None
    estimated_ready_at: int | None = None
    opened_at: int | None = None


@dataclass(frozen=True, slots=True)
class Books:
    """The rows that a batch of messages concerns; what is not in here does not exist."""

    tickets: dict[str, Ticket] = field(default_factory=dict)
    stores: dict[str, StoreRow] = field(default_factory=dict)
    menu: dict[tuple[str, str], MenuRow] = field(default_factory=dict)

    def copy(self) -> Self:
        """Return books that can be written in while these stay as they are."""
        return type(self)(self.tickets.copy(), self.stores.copy(), self.menu.copy())

    def next_number(self, store: StoreRow) -> tuple[str, int]:
        """Count up the store's pick-up numbers; return the day and the number's place in it."""
        place = numbering_of(store).after(store.last_number)
        self.stores[store.store_id] = replace(store, last_number=place)
        return store.number_day, place

    def put(self, ticket: Ticket) -> None:
        """Enter a ticket, new or changed, and keep its store's counts true."""
        before = self.tickets.get(ticket.order_id)
        self.tickets[ticket.order_id] = ticket
        store = self.stores.get(ticket.store_id)
        if store is None or (before is not None and before.status == ticket.status):
            return
        old = None if before is None else before.status
        queued = (ticket.status in QUEUED) - (old in QUEUED)
        ready = (ticket.status == PickupStatus.READY) - (old == PickupStatus.READY)
        self.stores[store.store_id] = replace(
            store, queued=store.queued + queued, ready=store.ready + ready
        )


_numbering = msgspec.json.Decoder(Numbering).decode


def numbering_of(store: StoreRow) -> Numbering:
    """Return what the store's next number has to pass over."""
    if store.numbering is None:
        return Numbering("", store.number_day)
    return _numbering(store.numbering)


def decide(books: Books, message: StoreMessage, now: datetime) -> StoreReply:
    """Carry out one message in the books and return its reply; repeating it changes nothing.

    Raises `NotFound` for a change of an unknown store or menu item, `Invalid` for one that cannot
    be, and leaves the books alone.
    """
    match message:
        case TicketRequest():
            return _open(books, message, now)
        case TicketUpdate():
            return _update(books, message, now)
        case TicketCancellation():
            return _cancel(books, message, now)
        case StoreChange():
            return _change_store(books, message)
        case MenuItemChange():
            return _change_menu_item(books, message)
    raise TypeError(f"no rule for {type(message).__name__}")


def _open(books: Books, request: TicketRequest, now: datetime) -> TicketReply:
    ticket = books.tickets.get(request.order_id)
    if ticket is None:
        ticket = _new_ticket(books, request, now)
        books.put(ticket)
    estimate = ticket.estimated_ready_at
    return TicketReply(
        status=ticket.status,
        number=ticket.number,
        estimated_ready_at=None if estimate is None else from_micros(estimate),
        reason=ticket.reason,
    )


def _new_ticket(books: Books, request: TicketRequest, now: datetime) -> Ticket:
    reason = _refusal(books, request)
    at = to_micros(now)
    ticket = Ticket(
        order_id=request.order_id,
        store_id=request.store_id,
        status=PickupStatus.REJECTED,
        updated_at=at,
        items=_items(request.lines),
        customer_name=request.customer_name,
        reason=reason,
        opened_at=at,
    )
    if reason is not None:
        return ticket
    store = books.stores[request.store_id]
    day, number = books.next_number(store)
    return replace(
        ticket,
        status=PickupStatus.ACCEPTED,
        number=pickup_number(number),
        day=day,
        estimated_ready_at=to_micros(now + timedelta(seconds=store.estimated_wait_s)),
    )


def _refusal(books: Books, request: TicketRequest) -> str | None:
    store = books.stores.get(request.store_id)
    if store is None:
        return "unknown_store"
    items = (books.menu.get((store.store_id, line.menu_id)) for line in request.lines)
    return refusal(items, is_open=store.open, full=store.full)


def _items(lines: tuple[Line, ...]) -> str:
    items = [
        {
            "menu_id": line.menu_id,
            "name": line.name,
            "quantity": line.quantity,
            "unit_price": line.unit_price,
            "amount": line.amount,
        }
        for line in lines
    ]
    return to_json(items).decode()


def _update(books: Books, message: TicketUpdate, now: datetime) -> Done:
    ticket = books.tickets.get(message.order_id)
    if ticket is None or message.version <= ticket.version:
        return Done()
    # A cancelled ticket stays cancelled: an update that was sent before may come after.
    canceled = ticket.status == PickupStatus.CANCELED
    books.put(
        replace(
            ticket,
            status=ticket.status if canceled else message.status,
            version=message.version,
            customer_name=None if message.erase else ticket.customer_name,
            reason=message.reason or ticket.reason,
            updated_at=to_micros(now),
        )
    )
    return Done()


def _cancel(books: Books, message: TicketCancellation, now: datetime) -> TicketReply:
    canceled, at = PickupStatus.CANCELED, to_micros(now)
    ticket = books.tickets.get(message.order_id)
    if ticket is None:
        books.put(Ticket(message.order_id, message.store_id, canceled, at))
    elif ticket.status != canceled:
        books.put(replace(ticket, status=canceled, updated_at=at))
    return TicketReply(canceled)


def _change_store(books: Books, change: StoreChange) -> Done:
    check_capacity(change.capacity)
    store = books.stores.get(change.store_id)
    if store is None:
        raise NotFound("store_not_found", "There is no store with this id.")
    if change.open is not None:
        store = replace(store, open=change.open)
    if change.set_capacity:
        store = replace(store, capacity=change.capacity)
    books.stores[store.store_id] = store
    return Done()


def _change_menu_item(books: Books, change: MenuItemChange) -> Done:
    check_price(change.price)
    if change.store_id not in books.stores:
        raise NotFound("store_not_found", "There is no store with this id.")
    key = (change.store_id, change.menu_id)
    item = books.menu.get(key)
    if item is None:
        raise NotFound("menu_item_not_found", "This store has no menu item with this id.")
    if change.sold_out is not None:
        item = replace(item, sold_out=change.sold_out)
    if change.price is not None:
        item = replace(item, price=change.price)
    books.menu[key] = item
    return Done()
