"""Reads the traces that orders leave in all databases, a page of orders at a time. Never writes."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, select

from actors.contracts.errors import Damaged
from actors.order.ids import key_of
from actors.order.journal_tables import events, open_orders, order_keys, order_private, seal_sums
from actors.payment.provider_tables import charges
from actors.payment.service import payment_key
from actors.payment.tables import payments
from actors.runtime.clock import utc_now
from actors.settings import Service
from actors.store.tables import tickets
from cluster.audit.databases import Databases, wrong_column
from cluster.audit.records import Dossier
from readmodel.tables import LIVE, checkpoint, order_detail

PAGE = 2000
EVENTS_AN_ORDER = 8  # about; only so that a page has about as many events as orders

Within = Callable[[ColumnElement[str]], ColumnElement[bool]]
"""Turns a column of order ids into the condition that some orders meet."""
Strays = Mapping[str, set[str]]
"""Provider keys, by order id, that the journal does not lead to."""


class _Dossiers(dict[str, Dossier]):
    def __init__(self, checkpoint: int, unsealed_until: int) -> None:
        super().__init__()
        self._checkpoint = checkpoint
        self._unsealed_until = unsealed_until
        self._read_at = utc_now()

    def __missing__(self, order_id: str) -> Dossier:
        dossier = self[order_id] = Dossier(
            order_id, self._checkpoint, self._unsealed_until, self._read_at
        )
        return dossier


@dataclass(frozen=True, slots=True)
class _Part:
    """A field of a dossier, and the table in which its rows stand."""

    name: str
    service: Service
    table: Table


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


class RecordReader:
    """Reads what the databases hold of orders; the dossiers say what of them could not be read.

    All methods raise `SirenError`.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

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
        sealing = select(seal_sums.c.unsealed_until)
        found = _Dossiers(
            await self._databases.scalar("readmodel", checkpoint, reached),
            await self._databases.scalar("journal", seal_sums, sealing),
        )
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

    async def _load(self, found: _Dossiers, within: Within, *parts: _Part) -> bool:
        """Fill in parts that stand in one database, as of one moment; False where it is damaged."""
        rows: list[tuple[_Part, Row[Any]]] = []
        try:
            async with self._databases.read(parts[0].service) as connection:
                for part in parts:
                    query = _in_order(part).where(within(part.table.c.order_id))
                    rows += [(part, row) for row in await connection.execute(query)]
        except Damaged as error:
            if len(parts) == 1:
                place = self._databases.place(parts[0].service, parts[0].table.name)
                self._databases.damage.setdefault(place, error.detail)
            return False
        for part, row in rows:
            self._fill_in(found[row.order_id], part, row)
        return True

    def _fill_in(self, dossier: Dossier, part: _Part, row: Row[Any]) -> None:
        wrong = wrong_column(part.table, row)
        if wrong is not None:
            place = self._databases.place(part.service, part.table.name)
            dossier.unreadable[part.name] = f"{place}, column {wrong}"
        elif part.name in ("events", "charges"):
            getattr(dossier, part.name).append(row)
        else:
            setattr(dossier, part.name, row)

    async def _find_ids(self, found: _Dossiers, within: Within, part: _Part) -> None:
        """Add the orders that a table's index still knows, though not all rows can be read."""
        column = part.table.c.order_id
        with self._databases.around(part.service, part.table.name):
            async with self._databases.read(part.service) as connection:
                for order_id in await connection.scalars(select(column).where(within(column))):
                    found[order_id]  # makes the dossier

    async def _load_around(self, found: _Dossiers, part: _Part, order_ids: list[str]) -> None:
        """Fill in a part order by order where many at once cannot be read."""
        if not order_ids:
            return
        column = part.table.c.order_id
        try:
            async with self._databases.read(part.service) as connection:
                rows = list(await connection.execute(_in_order(part).where(column.in_(order_ids))))
        except Damaged:
            if len(order_ids) == 1:
                place = self._databases.place(part.service, part.table.name)
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
            async with self._databases.read(part.service) as connection:
                query = select(part.table).where(part.table.c.key.in_(owners))
                rows = list(await connection.execute(query))
        except Damaged as error:
            place = self._databases.place(part.service, part.table.name)
            self._databases.damage.setdefault(place, error.detail)
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
        with self._databases.around(part.service, part.table.name):
            async with self._databases.read(part.service) as connection:
                end = await connection.scalar(query)
        return end

    def _charge_owners(self, found: _Dossiers, strays: Strays) -> dict[str, str]:
        owners = {key: order_id for order_id, keys in strays.items() for key in keys}
        for order_id, dossier in found.items():
            asked = sum(row.type == "PaymentRequested" for row in dossier.events)
            owners |= {payment_key(order_id, n): order_id for n in range(1, asked + 1)}
        return owners


def _between(after: str, upto: str) -> Within:
    return lambda column: (column > after) & (column <= upto)


def _in_order(part: _Part) -> Select[Any]:
    query = select(part.table)
    if part.table is events:
        return query.order_by(events.c.order_id, events.c.version)
    return query
