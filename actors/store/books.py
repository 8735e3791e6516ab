"""Loads the rows that a batch of messages concerns, and saves those that it changed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import asdict, replace
from sqlalchemy import and_, bindparam, select, update

from actors.contracts.messages import (
    MenuItemChange,
    TicketCancellation,
    TicketRequest,
    TicketUpdate,
)
from actors.runtime.database import Database
from actors.runtime.group_commit import Seen
from actors.runtime.message_codec import to_json
from actors.runtime.statements import Transaction
from actors.store.pickup_numbers import Numbering, local_day, place_of
from actors.store.tables import menu_items, stores, tickets
from actors.store.tickets import (
    STANDING,
    Books,
    MenuRow,
    StoreMessage,
    StoreRow,
    Ticket,
    numbering_of,
)

Key = TypeVar("Key")
Value = TypeVar("Value")

_TICKET_COLUMNS = [tickets.c[name] for name in Ticket.__struct_fields__]
_STORE_COLUMNS = [stores.c[name] for name in StoreRow.__struct_fields__]
_MENU_COLUMNS = [menu_items.c[name] for name in MenuRow.__struct_fields__]
_STORE_CHANGES = (
    "open",
    "capacity",
    "queued",
    "ready",
    "number_day",
    "last_number",
    "numbering",
)
_MENU_CHANGES = ("price", "sold_out")
_TICKET_CHANGES = ("status", "version", "customer_name", "reason", "updated_at")

_UPDATE_STORE = (
    update(stores)
    .where(stores.c.store_id == bindparam("key"))
    .values({name: bindparam(f"new_{name}") for name in _STORE_CHANGES})
)
_UPDATE_MENU_ITEM = (
    update(menu_items)
    .where(menu_items.c.store_id == bindparam("key"), menu_items.c.menu_id == bindparam("item"))
    .values({name: bindparam(f"new_{name}") for name in _MENU_CHANGES})
)


class StoreBooks:
    """Loads and saves `Books`, inside the transactions of whoever decides on them."""

    def __init__(self, database: Database) -> None:
        among, prepare = database.among, database.prepare
        mine = among(tickets.c.order_id, "order_ids")
        self._tickets = prepare(select(*_TICKET_COLUMNS).where(mine))
        asked = and_(
            menu_items.c.store_id == stores.c.store_id, among(menu_items.c.menu_id, "menu_ids")
        )
        self._stores = prepare(
            select(*_STORE_COLUMNS, *_MENU_COLUMNS)
            .select_from(stores.outerjoin(menu_items, asked))
            .where(among(stores.c.store_id, "store_ids"))
        )
        self._enter = database.prepare_upsert(
            tickets, "order_id", _TICKET_CHANGES, Ticket.__struct_fields__
        )
        here = tickets.c.store_id == bindparam("store_id")
        of_day = tickets.c.day == bindparam("day")
        self._standing = prepare(
            select(tickets.c.number).where(here, among(tickets.c.status, "statuses"), ~of_day)
        )
        self._newest = prepare(
            select(tickets.c.number)
            .where(here, of_day, tickets.c.number.is_not(None))
            .order_by(tickets.c.seq.desc())
            .limit(1)
        )
        self._move_store = prepare(_UPDATE_STORE)
        self._move_menu_item = prepare(_UPDATE_MENU_ITEM)
        self.reads = (self._tickets, self._stores, self._standing, self._newest)
        self.changes = (self._enter, self._move_store, self._move_menu_item)

    def believed(self, messages: Sequence[StoreMessage]) -> list[Seen]:
        """Return what `load` reads: new tickets are not there, and stores have to be looked at."""
        new = all(isinstance(message, TicketRequest) for message in messages)
        order_ids = _order_ids(messages)
        believed: list[Seen] = []
        if order_ids["order_ids"]:
            believed.append((self._tickets, order_ids, () if new else None))
        if new:
            believed.append((self._stores, _concerned(messages, ()), None))
        return believed

    def load(self, transaction: Transaction, messages: Sequence[StoreMessage]) -> Books:
        """Return the rows that the messages concern, with two queries, however many they are."""
        books = Books()
        mine = _order_ids(messages)
        if mine["order_ids"]:
            for row in transaction.all(self._tickets, mine):
                books.tickets[row[0]] = Ticket(*row)
        concerned = _concerned(messages, books.tickets.values())
        if concerned["store_ids"]:
            self._load_stores(transaction, books, concerned)
        return books

    def begin_days(
        self,
        transaction: Transaction,
        books: Books,
        messages: Sequence[StoreMessage],
        now: datetime,
    ) -> None:
        """Let the stores that tickets are asked of number them by the day that it is there."""
        for store_id in {m.store_id for m in messages if isinstance(m, TicketRequest)}:
            store = books.stores.get(store_id)
            if store is None:
                continue
            day = local_day(now, store.time_zone)
            known = numbering_of(store)
            if day != store.number_day or day != known.day:
                books.stores[store_id] = self._begin_day(transaction, store, day, known.newest)

    def _begin_day(
        self, transaction: Transaction, store: StoreRow, day: str, newest: str
    ) -> StoreRow:
        of_day = {"store_id": store.store_id, "day": day}
        last = store.last_number
        if day != store.number_day:  # back to a day that the clock has been in before, or a new one
            given = transaction.all(self._newest, of_day) if day <= newest else ()
            last = place_of(given[0][0]) if given else 0
        elsewhere = {**of_day, "statuses": list(STANDING)}
        standing = (row[0] for row in transaction.all(self._standing, elsewhere))
        numbering = to_json(Numbering.of(day, newest, standing)).decode()
        return replace(store, number_day=day, last_number=last, numbering=numbering)

    def _load_stores(
        self, transaction: Transaction, books: Books, concerned: dict[str, list[str]]
    ) -> None:
        width = len(_STORE_COLUMNS)
        for row in transaction.all(self._stores, concerned):
            store = StoreRow(*row[:width])
            books.stores[store.store_id] = store
            item = MenuRow(*row[width:])
            if item.menu_id is not None:
                books.menu[store.store_id, item.menu_id] = item

    def save(self, transaction: Transaction, found: Books, books: Books) -> None:
        """Write what differs between `found` and `books`."""
        entered = [asdict(ticket) for ticket in _changed(found.tickets, books.tickets)]
        if entered:
            transaction.change(self._enter, entered)
        moved = [
            {"key": store.store_id, **_new(store, _STORE_CHANGES)}
            for store in _changed(found.stores, books.stores)
        ]
        if moved:
            transaction.change(self._move_store, moved)
        menu = [
            {"key": item.store_id, "item": item.menu_id, **_new(item, _MENU_CHANGES)}
            for item in _changed(found.menu, books.menu)
        ]
        if menu:
            transaction.change(self._move_menu_item, menu)


def _order_ids(messages: Sequence[StoreMessage]) -> dict[str, list[str]]:
    order_ids = {
        message.order_id
        for message in messages
        if isinstance(message, TicketRequest | TicketUpdate | TicketCancellation)
    }
    return {"order_ids": list(order_ids)}


def _concerned(messages: Sequence[StoreMessage], found: Iterable[Ticket]) -> dict[str, list[str]]:
    # An update does not name its store; its ticket does.
    store_ids = {ticket.store_id for ticket in found}
    store_ids |= {m.store_id for m in messages if not isinstance(m, TicketUpdate)}
    return {"store_ids": sorted(store_ids), "menu_ids": list(_menu_ids(messages))}


def _menu_ids(messages: Sequence[StoreMessage]) -> set[str]:
    menu_ids = {m.menu_id for m in messages if isinstance(m, MenuItemChange)}
    for message in messages:
        if isinstance(message, TicketRequest):
            menu_ids.update(line.menu_id for line in message.lines)
    return menu_ids


def _changed(found: Mapping[Key, Value], now: Mapping[Key, Value]) -> list[Value]:
    # Rows are immutable: what was changed is another object.
    return [value for key, value in now.items() if found.get(key) is not value]


def _new(row: Struct, names: Sequence[str]) -> dict[str, Any]:
    return {f"new_{name}": getattr(row, name) for name in names}
