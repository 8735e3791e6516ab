"""Reads the traces that orders leave in all databases, a page of orders at a time. Never writes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, and_, func, select

from actors.contracts.errors import Damaged, SirenError
from actors.order import journal_tables
from actors.order.ids import key_of
from actors.order.journal_tables import events, meta, open_orders, order_keys, order_private
from actors.payment import provider
from actors.payment import tables as payment_tables
from actors.payment.provider import charges
from actors.payment.service import payment_key
from actors.payment.tables import payments
from actors.runtime.clock import utc_now
from actors.runtime.database_faults import file_of
from actors.settings import SERVICES, Service, Settings
from actors.store import tables as store_tables
from actors.store.tables import menu_items, stores, tickets
from cluster.audit.records import Dossier
from cluster.operations.read_only import ReadOnly, check_files, check_journal_version, check_tables
from cluster.running.integrity import quick_check
from readmodel import tables as view_tables
from readmodel.tables import LIVE, checkpoint, order_detail

PAGE = 2000
EVENTS_AN_ORDER = 8  # about; only so that a page has about as many events as orders

Within = Callable[[ColumnElement[str]], ColumnElement[bool]]
"""Turns a column of order ids into the condition that some orders meet."""
Strays = Mapping[str, set[str]]
"""Provider keys, by order id, that the journal does not lead to."""

METADATA = {
    "journal": journal_tables.metadata,
    "payments": payment_tables.metadata,
    "provider": provider.metadata,
    "stores": store_tables.metadata,
    "readmodel": view_tables.metadata,
}


class _Dossiers(dict[str, Dossier]):
    def __init__(self, checkpoint: int) -> None:
        super().__init__()
        self._checkpoint = checkpoint
        self._read_at = utc_now()

    def __missing__(self, order_id: str) -> Dossier:
        dossier = self[order_id] = Dossier(order_id, self._checkpoint, self._read_at)
        return dossier


@dataclass(frozen=True, slots=True)
class _Part:
    """A field of a dossier, and the table in which its rows stand."""

    name: str
    service: Service
    table: Table


class _GoOn:
    """A block that ends where damage is met: the place is noted, and nothing is raised."""

    def __init__(self, damage: dict[str, str], place: str) -> None:
        self._damage = damage
        self._place = place

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Damaged):
            return False
        self._damage.setdefault(self._place, error.detail)
        return True


# The journal is read after those that follow it, so that it is never behind them.
FOLLOWERS = (
    _Part("view", "readmodel", order_detail),
    _Part("ticket", "stores", tickets),
    _Part("payment", "payments", payments),
)
JOURNAL = (
    _Part("events", "journal", events),
    _Part("private", "journal", order_private),
    _Part("open", "journal", open_orders),
)
KEY = _Part("key", "journal", order_keys)
CHARGES = _Part("charges", "provider", charges)


class Sources:
    """All databases of an installation, read only. All methods raise `SirenError`.

    What is damaged is gone around: `damage` tells which tables, and why, and the dossiers of the
    orders concerned say what of them could not be read.
    """

    def __init__(self, settings: Settings) -> None:
        check_files(settings, *SERVICES)
        databases = {
            service: ReadOnly(settings.url(service), METADATA[service]) for service in SERVICES
        }
        self._databases = databases
        self._files = {service: file_of(settings.url(service)) for service in SERVICES}
        self.damage: dict[str, str] = {}
        self._journal, self._provider = databases["journal"], databases["provider"]
        self._view, self._stores = databases["readmodel"], databases["stores"]
        self._payments = databases["payments"]

    async def check(self) -> None:
        """Raise `SirenError` where a database is not one of ours, or of another version."""
        for service, database in self._databases.items():
            with self._around(service, "all of it"):
                await check_tables(database)
        if len(self.damage) == len(self._databases):
            place, words = next(iter(self.damage.items()))
            raise SirenError("database_unreadable", f"cannot read any database: {place}: {words}")
        with self._around("journal", meta.name):
            await check_journal_version(self._journal)

    async def look_through(self) -> None:
        """Look through the files, indexes included, for what is damaged."""
        for service, file in self._files.items():
            words = await asyncio.to_thread(quick_check, file) if file is not None else ""
            if words:
                self.damage.setdefault(self._place(service, "the file"), words)

    async def close(self) -> None:
        """Close all connections."""
        for database in self._databases.values():
            await database.close()

    async def count_events(self) -> int:
        """Return how many events the journal has."""
        query = select(func.count()).select_from(events)
        return await self._scalar("journal", events, query)

    async def lag(self) -> int:
        """Return how many events the view is behind the journal."""
        reached = select(checkpoint.c.position).where(checkpoint.c.name == LIVE)
        position = await self._scalar("readmodel", checkpoint, reached)
        behind = select(func.count()).select_from(events).where(events.c.position > position)
        return await self._scalar("journal", events, behind)

    async def set_back(self) -> bool:
        """Return whether the journal lacks the event that the view has folded in last."""
        here = select(checkpoint.c.position, checkpoint.c.event).where(checkpoint.c.name == LIVE)
        reached = event = None
        with self._around("readmodel", checkpoint.name):
            async with self._view.read() as connection:
                reached = (await connection.execute(here)).one_or_none()
        if reached is None or reached.position == 0:
            return False
        with self._around("journal", events.name):
            query = select(events).where(events.c.position == reached.position)
            async with self._journal.read() as connection:
                event = (await connection.execute(query)).one_or_none()
            noted = (reached.event or "").split(" ")
            if event is None or noted[0] != str(reached.position):
                return event is None
            return noted[1:] != [event.order_id, str(event.version), event.type, str(event.at)]
        return False

    async def pages(self) -> AsyncIterator[list[Dossier]]:
        """Yield every order id that stands anywhere but at the provider, once, with its rows."""
        after, upto = "", await self._end_of_page("")
        while upto is not None:
            page = await self.load(_between(after, upto))
            yield page
            after, upto = upto, await self._end_of_page(upto)
        yield await self.load(lambda column: column > after)

    async def load(self, within: Within, strays: Strays | None = None) -> list[Dossier]:
        """Return the dossiers of some orders, those of `strays` with these provider keys too."""
        reached = select(checkpoint.c.position).where(checkpoint.c.name == LIVE)
        found = _Dossiers(await self._scalar("readmodel", checkpoint, reached))
        unread = [part for part in FOLLOWERS if not await self._load(found, within, part)]
        if not await self._load(found, within, *JOURNAL):
            unread += [part for part in JOURNAL if not await self._load(found, within, part)]
        for part in unread:
            await self._find_ids(found, within, part)
        for part in unread:
            await self._load_around(found, part, list(found))
        owners = {key_of(order_id): order_id for order_id in found}
        await self._load_keyed(found, KEY, owners)
        await self._load_keyed(found, CHARGES, self._charge_owners(found, strays or {}))
        return list(found.values())

    async def stray_charges(self) -> AsyncIterator[dict[str, set[str]]]:
        """Yield the live charges that no order in the journal asked for, in pages."""
        live = select(charges.c.key).where(charges.c.status == "APPROVED").order_by(charges.c.key)
        after = ""
        while True:
            keys: list[str] = []
            page = live.where(charges.c.key > after).limit(PAGE)
            with self._around("provider", charges.name):
                async with self._provider.read() as connection:
                    keys = list(await connection.scalars(page))
            if not keys:
                return
            yield await self._strays(keys)
            after = keys[-1]

    async def shared_numbers(self) -> list[Row[Any]]:
        """Return the tickets whose number another one of the same store and day has too."""
        c = tickets.c
        shared = (
            select(c.store_id, c.day, c.number)
            .where(c.number.is_not(None))
            .group_by(c.store_id, c.day, c.number)
            .having(func.count() > 1)
            .subquery()
        )
        same = and_(*(c[name] == shared.c[name] for name in ("store_id", "day", "number")))
        query = select(c.order_id, c.store_id, c.day, c.number).join(shared, same)
        with self._around("stores", tickets.name):
            async with self._stores.read() as connection:
                return list(await connection.execute(query.order_by(c.seq)))
        return []

    def _place(self, service: Service, table: str) -> str:
        file = self._files[service]
        return f"{service if file is None else file.name}, {table}"

    def _around(self, service: Service, table: str) -> "_GoOn":
        """Note damage, and go on behind the block."""
        return _GoOn(self.damage, self._place(service, table))

    async def _scalar(self, service: Service, table: Table, query: Any) -> int:
        """Return a number; 0 where it cannot be read."""
        with self._around(service, table.name):
            async with self._databases[service].read() as connection:
                return int(await connection.scalar(query) or 0)
        return 0

    async def _load(self, found: _Dossiers, within: Within, *parts: _Part) -> bool:
        """Fill in parts that stand in one database, as of one moment; False where it is damaged."""
        rows: list[tuple[_Part, Row[Any]]] = []
        try:
            async with self._databases[parts[0].service].read() as connection:
                for part in parts:
                    query = _in_order(part).where(within(part.table.c.order_id))
                    rows += [(part, row) for row in await connection.execute(query)]
        except Damaged as error:
            if len(parts) == 1:
                place = self._place(parts[0].service, parts[0].table.name)
                self.damage.setdefault(place, error.detail)
            return False
        for part, row in rows:
            self._fill_in(found[row.order_id], part, row)
        return True

    def _fill_in(self, dossier: Dossier, part: _Part, row: Row[Any]) -> None:
        wrong = wrong_column(part.table, row)
        if wrong is not None:
            place = self._place(part.service, part.table.name)
            dossier.unreadable[part.name] = f"{place}, column {wrong}"
        elif part.name in ("events", "charges"):
            getattr(dossier, part.name).append(row)
        else:
            setattr(dossier, part.name, row)

    async def check_books(self) -> None:
        """Note what is wrong with the rows that belong to no order: stores and their menus."""
        for table in (stores, menu_items):
            rows: list[Row[Any]] = []
            with self._around("stores", table.name):
                async with self._stores.read() as connection:
                    rows = list(await connection.execute(select(table)))
            for row in rows:
                wrong = wrong_column(table, row)
                if wrong is not None:
                    words = f"the {wrong} of {row.store_id} is not what belongs there"
                    self.damage.setdefault(self._place("stores", table.name), words)

    async def _find_ids(self, found: _Dossiers, within: Within, part: _Part) -> None:
        """Add the orders that a table's index still knows, though not all rows can be read."""
        column = part.table.c.order_id
        with self._around(part.service, part.table.name):
            async with self._databases[part.service].read() as connection:
                for order_id in await connection.scalars(select(column).where(within(column))):
                    found[order_id]  # makes the dossier

    async def _load_around(self, found: _Dossiers, part: _Part, order_ids: list[str]) -> None:
        """Fill in a part order by order where many at once cannot be read."""
        if not order_ids:
            return
        column = part.table.c.order_id
        try:
            async with self._databases[part.service].read() as connection:
                rows = list(await connection.execute(_in_order(part).where(column.in_(order_ids))))
        except Damaged:
            if len(order_ids) == 1:
                place = self._place(part.service, part.table.name)
                found[order_ids[0]].unreadable[part.name] = place
                return
            half = len(order_ids) // 2
            await self._load_around(found, part, order_ids[:half])
            await self._load_around(found, part, order_ids[half:])
            return
        for row in rows:
            self._fill_in(found[row.order_id], part, row)

    async def _load_keyed(self, found: _Dossiers, part: _Part, owners: dict[str, str]) -> None:
        """Fill in a part whose rows have keys of their own; `owners` leads from them to orders."""
        if not owners:
            return
        try:
            async with self._databases[part.service].read() as connection:
                query = select(part.table).where(part.table.c.key.in_(owners))
                rows = list(await connection.execute(query))
        except Damaged as error:
            place = self._place(part.service, part.table.name)
            self.damage.setdefault(place, error.detail)
            if len(owners) == 1:
                found[next(iter(owners.values()))].unreadable[part.name] = place
                return
            items = list(owners.items())
            half = len(items) // 2
            await self._load_keyed(found, part, dict(items[:half]))
            await self._load_keyed(found, part, dict(items[half:]))
            return
        for row in rows:
            self._fill_in(found[owners[row.key]], part, row)

    async def _end_of_page(self, after: str) -> str | None:
        """Return the last order id of the next page; None where all the rest fits into one."""
        ends = [
            await self._nth(part, after, PAGE * (EVENTS_AN_ORDER if part.name == "events" else 1))
            for part in (*JOURNAL, *FOLLOWERS)
        ]
        # Any of them is a right end, also where the database sorts otherwise than Python does.
        return min((end for end in ends if end is not None), default=None)

    async def _nth(self, part: _Part, after: str, count: int) -> str | None:
        column = part.table.c.order_id
        query = select(column).where(column > after).order_by(column).offset(count - 1).limit(1)
        end: str | None = None
        with self._around(part.service, part.table.name):
            async with self._databases[part.service].read() as connection:
                end = await connection.scalar(query)
        return end

    def _charge_owners(self, found: _Dossiers, strays: Strays) -> dict[str, str]:
        owners = {key: order_id for order_id, keys in strays.items() for key in keys}
        for order_id, dossier in found.items():
            asked = sum(row.type == "PaymentRequested" for row in dossier.events)
            owners |= {payment_key(order_id, n): order_id for n in range(1, asked + 1)}
        return owners

    async def _strays(self, keys: list[str]) -> dict[str, set[str]]:
        owners = {key: key.rpartition(":")[0] or key for key in keys}
        asked_for = (
            select(events.c.order_id, func.count())
            .where(events.c.order_id.in_(set(owners.values())))
            .where(events.c.type == "PaymentRequested")
            .group_by(events.c.order_id)
        )
        asked: dict[str, int] | None = None
        with self._around("journal", events.name):
            async with self._journal.read() as connection:
                asked = {row[0]: row[1] for row in await connection.execute(asked_for)}
        if asked is None:  # whoever asked cannot be told
            return {}
        strays: dict[str, set[str]] = {}
        for key, order_id in owners.items():
            attempt = key.rpartition(":")[2]
            if not (attempt.isdecimal() and 1 <= int(attempt) <= asked.get(order_id, 0)):
                strays.setdefault(order_id, set()).add(key)
        return strays


def _between(after: str, upto: str) -> Within:
    return lambda column: (column > after) & (column <= upto)


def _in_order(part: _Part) -> Select[Any]:
    query = select(part.table)
    if part.table is events:
        return query.order_by(events.c.order_id, events.c.version)
    return query


def wrong_column(table: Table, row: Row[Any]) -> str | None:
    """Return a column whose value is of another type than the table's; SQLite keeps any."""
    for column, value in zip(table.c, row, strict=True):
        wanted = column.type.python_type
        if value is None:
            fits = bool(column.nullable)
        else:
            fits = isinstance(value, bool | int if wanted is bool else wanted)
        if not fits:
            return str(column.name)
    return None
