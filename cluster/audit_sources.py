"""Reads the traces that orders leave in all databases, a page of orders at a time. Never writes."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, and_, func, select

from actors import journal_tables, payment_tables, provider, store_tables
from actors.addressing import key_of
from actors.clock import utc_now
from actors.journal_tables import events, open_orders, order_keys, order_private
from actors.payment_actor import payment_key
from actors.payment_tables import payments
from actors.provider import charges
from actors.settings import Service, Settings
from actors.store_tables import tickets
from cluster.databases import ReadOnly, check_files, check_tables
from cluster.dossier import Dossier
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
SERVICES: tuple[Service, ...] = ("journal", "payments", "provider", "stores", "readmodel")


class _Dossiers(dict[str, Dossier]):
    def __init__(self, checkpoint: int) -> None:
        super().__init__()
        self._checkpoint = checkpoint
        self._read_at = utc_now()

    def __missing__(self, order_id: str) -> Dossier:
        dossier = self[order_id] = Dossier(order_id, self._checkpoint, self._read_at)
        return dossier


class Sources:
    """All databases of an installation, read only. All methods raise `SirenError`."""

    def __init__(self, settings: Settings) -> None:
        check_files(settings, *SERVICES)
        databases = {
            service: ReadOnly(settings.url(service), METADATA[service]) for service in SERVICES
        }
        self._databases = databases
        self._journal, self._provider = databases["journal"], databases["provider"]
        self._view, self._stores = databases["readmodel"], databases["stores"]
        self._payments = databases["payments"]

    async def check(self) -> None:
        """Raise `SirenError` where a database is not one of ours."""
        for database in self._databases.values():
            await check_tables(database)

    async def close(self) -> None:
        """Close all connections."""
        for database in self._databases.values():
            await database.close()

    async def count_events(self) -> int:
        """Return how many events the journal has."""
        return await self._scalar(self._journal, select(func.count()).select_from(events))

    async def lag(self) -> int:
        """Return how many events the view is behind the journal."""
        reached = select(checkpoint.c.position).where(checkpoint.c.name == LIVE)
        position = await self._scalar(self._view, reached)
        behind = select(func.count()).select_from(events).where(events.c.position > position)
        return await self._scalar(self._journal, behind)

    async def set_back(self) -> bool:
        """Return whether the journal lacks the event that the view has folded in last."""
        here = select(checkpoint.c.position, checkpoint.c.event).where(checkpoint.c.name == LIVE)
        async with self._view.read() as connection:
            reached = (await connection.execute(here)).one_or_none()
        if reached is None or reached.position == 0:
            return False
        async with self._journal.read() as connection:
            query = select(events).where(events.c.position == reached.position)
            event = (await connection.execute(query)).one_or_none()
        noted = (reached.event or "").split(" ")
        if event is None or noted[0] != str(reached.position):
            return event is None
        return noted[1:] != [event.order_id, str(event.version), event.type, str(event.at)]

    async def pages(self) -> AsyncIterator[list[Dossier]]:
        """Yield every order id that stands anywhere but at the provider, once, with its rows."""
        after, upto = "", await self._end_of_page("")
        while upto is not None:
            page = await self.load(_between(after, upto))
            yield page
            after, upto = upto, await self._end_of_page(upto)
        yield await self.load(lambda column: column > after)

    async def load(self, within: Within, strays: Strays | None = None) -> list[Dossier]:
        """Return the dossiers of some orders, those of `strays` with these provider keys too.

        The journal is read after those that follow it, so that it is never behind them.
        """
        reached = select(checkpoint.c.position).where(checkpoint.c.name == LIVE)
        async with self._view.read() as connection:
            found = _Dossiers(await connection.scalar(reached) or 0)
            rows = select(order_detail).where(within(order_detail.c.order_id))
            for row in await connection.execute(rows):
                found[row.order_id].view = row
        for row in await self._rows(self._stores, tickets, within):
            found[row.order_id].ticket = row
        for row in await self._rows(self._payments, payments, within):
            found[row.order_id].payment = row
        await self._load_journal(found, within)
        await self._load_charges(found, strays or {})
        return list(found.values())

    async def stray_charges(self) -> AsyncIterator[dict[str, set[str]]]:
        """Yield the live charges that no order in the journal asked for, in pages."""
        live = select(charges.c.key).where(charges.c.status == "APPROVED").order_by(charges.c.key)
        after = ""
        while True:
            async with self._provider.read() as connection:
                page = live.where(charges.c.key > after).limit(PAGE)
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
        async with self._stores.read() as connection:
            return list(await connection.execute(query.order_by(c.seq)))

    async def _scalar(self, database: ReadOnly, query: Any) -> int:
        async with database.read() as connection:
            return int(await connection.scalar(query) or 0)

    async def _rows(self, database: ReadOnly, table: Table, within: Within) -> list[Row[Any]]:
        async with database.read() as connection:
            return list(await connection.execute(select(table).where(within(table.c.order_id))))

    async def _end_of_page(self, after: str) -> str | None:
        """Return the last order id of the next page; None where all the rest fits into one."""
        ends = [
            await self._nth(self._journal, events, after, PAGE * EVENTS_AN_ORDER),
            await self._nth(self._journal, order_private, after),
            await self._nth(self._journal, open_orders, after),
            await self._nth(self._payments, payments, after),
            await self._nth(self._stores, tickets, after),
            await self._nth(self._view, order_detail, after),
        ]
        # Any of them is a right end, also where the database sorts otherwise than Python does.
        return min((end for end in ends if end is not None), default=None)

    async def _nth(
        self, database: ReadOnly, table: Table, after: str, count: int = PAGE
    ) -> str | None:
        column = table.c.order_id
        query = select(column).where(column > after).order_by(column).offset(count - 1).limit(1)
        async with database.read() as connection:
            end: str | None = await connection.scalar(query)
            return end

    async def _load_journal(self, found: _Dossiers, within: Within) -> None:
        history = select(events).where(within(events.c.order_id))
        private = select(order_private).where(within(order_private.c.order_id))
        opened = select(open_orders).where(within(open_orders.c.order_id))
        async with self._journal.read() as connection:
            by_version = history.order_by(events.c.order_id, events.c.version)
            for row in await connection.execute(by_version):
                found[row.order_id].events.append(row)
            for row in await connection.execute(private):
                found[row.order_id].private = row
            for row in await connection.execute(opened):
                found[row.order_id].open = row
            mine = {key_of(order_id) for order_id in found}
            keys = select(order_keys).where(order_keys.c.key.in_(mine))
            noted = {row.key: row for row in await connection.execute(keys)}
            for order_id, dossier in found.items():
                dossier.key = noted.get(key_of(order_id))

    async def _load_charges(self, found: _Dossiers, strays: Strays) -> None:
        owners = {key: order_id for order_id, keys in strays.items() for key in keys}
        for order_id, dossier in found.items():
            asked = sum(row.type == "PaymentRequested" for row in dossier.events)
            owners |= {payment_key(order_id, n): order_id for n in range(1, asked + 1)}
        async with self._provider.read() as connection:
            query = select(charges).where(charges.c.key.in_(owners))
            for row in await connection.execute(query):
                found[owners[row.key]].charges.append(row)

    async def _strays(self, keys: list[str]) -> dict[str, set[str]]:
        owners = {key: key.rpartition(":")[0] or key for key in keys}
        asked_for = (
            select(events.c.order_id, func.count())
            .where(events.c.order_id.in_(set(owners.values())))
            .where(events.c.type == "PaymentRequested")
            .group_by(events.c.order_id)
        )
        async with self._journal.read() as connection:
            asked = {row[0]: row[1] for row in await connection.execute(asked_for)}
        strays: dict[str, set[str]] = {}
        for key, order_id in owners.items():
            attempt = key.rpartition(":")[2]
            if not (attempt.isdecimal() and 1 <= int(attempt) <= asked.get(order_id, 0)):
                strays.setdefault(order_id, set()).add(key)
        return strays


def _between(after: str, upto: str) -> Within:
    return lambda column: (column > after) & (column <= upto)
