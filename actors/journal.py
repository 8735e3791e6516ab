"""The journal: the append-only events of all orders, and what commits together with them.

Nothing is acknowledged before it is on disk. All appends that wait go into one transaction (group
commit); an append whose expected version is stale is dropped alone and never spoils its batch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from actors.addressing import slot_of
from actors.batching import Batcher
from actors.codec import decode_event, encode_event
from actors.database import Database
from actors.domain.errors import Conflict, SirenError
from actors.domain.events import StoredEvent
from actors.domain.values import PrivateData
from actors.journal_tables import (
    JOURNAL_SCHEMA_VERSION,
    events,
    from_micros,
    meta,
    metadata,
    open_orders,
    order_private,
    to_micros,
)


@dataclass(frozen=True, slots=True)
class Append:
    """What one command adds to one order: all of it, or nothing.

    `due_at` and `ticket_version` are the order's new row in `open_orders`; no row where `due_at`
    is None. `private` is stored with a new order; `token` replaces its card token ("" forgets it).
    An append without events only moves the row.
    """

    order_id: str
    expected_version: int
    events: tuple[StoredEvent, ...]
    due_at: datetime | None
    ticket_version: int | None = None
    private: PrivateData | None = None
    token: str | None = None
    erase: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """An order as the journal has it. `ticket_version`: the update the store has not confirmed."""

    events: list[StoredEvent] = field(default_factory=list)
    private: PrivateData = field(default_factory=PrivateData)
    ticket_version: int | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """An open order and the moment when somebody must look at it."""

    order_id: str
    due_at: datetime


class Journal:
    """Reads and appends events. Every process that needs the journal opens its own."""

    def __init__(self, url: str) -> None:
        self.database = Database(url, metadata)
        self._open = self.database.upsert(open_orders, "order_id", ("due_at", "ticket_version"))
        self._queries = _Queries(self.database)
        self._appends: Batcher[Append, None] = Batcher(self._commit)
        self._loads: Batcher[str, History] = Batcher(self._load_all)

    async def create(self) -> None:
        """Create the tables that are missing.

        Raises `SirenError` where a newer version of the code wrote the journal.
        """
        await self.database.create_tables()
        written_by = int(await self.remember("schema_version", str(JOURNAL_SCHEMA_VERSION)))
        if written_by > JOURNAL_SCHEMA_VERSION:
            raise SirenError(
                "journal_too_new",
                f"the journal has schema version {written_by}; "
                f"this version of siren knows {JOURNAL_SCHEMA_VERSION}",
            )

    async def remember(self, key: str, value: str) -> str:
        """Store `value` under `key` unless there is one already; return the one that stands."""
        async with self.database.write() as connection:
            row = {"key": key, "value": value}
            await connection.execute(self.database.insert(meta).on_conflict_do_nothing(), row)
            return str(await connection.scalar(select(meta.c.value).where(meta.c.key == key)))

    async def append(self, append: Append) -> None:
        """Append durably: on return the events are on disk.

        Raises `Conflict` where the order has moved on from `expected_version` (nothing was
        stored), or `Unavailable` where the outcome is unknown (load again before deciding again).
        """
        await self._appends.submit(append)

    async def load(self, order_id: str) -> History:
        """Return the committed history of an order; empty where there is none."""
        return await self._loads.submit(order_id)

    async def private_of(self, order_ids: Iterable[str]) -> dict[str, PrivateData]:
        """Return name and phone number of the orders that exist; None where they were erased."""
        mine = {"order_ids": list(order_ids)}
        rows = await self.database.query(
            lambda connection: connection.execute(self._queries.private, mine).all()
        )
        return {row.order_id: PrivateData(row.name, row.tel) for row in rows}

    async def read_after(self, position: int, limit: int) -> list[tuple[int, StoredEvent]]:
        """Return up to `limit` (position, event) after `position`, in order of position."""
        query = (
            select(events).where(events.c.position > position).order_by(events.c.position)
        ).limit(limit)
        return await self.database.query(
            lambda connection: [(row.position, _stored(row)) for row in connection.execute(query)]
        )

    async def last_position(self) -> int:
        """Return the position of the newest event; 0 where there is none."""
        async with self.database.read() as connection:
            return await connection.scalar(select(func.max(events.c.position))) or 0

    async def open_orders(self, slots: Sequence[int]) -> list[Due]:
        """Return the open orders of some slots, those longest due first."""
        return await self._due(open_orders.c.slot.in_(slots))

    async def open_order(self, order_id: str) -> list[Due]:
        """Return the one order if it is open, else nothing."""
        return await self._due(open_orders.c.order_id == order_id)

    async def prove_writable(self) -> None:
        """Commit a write; raises `Unavailable` where the disk or the server refuses it."""
        # Something new each time: SQLite does not write what changes nothing.
        row = {"key": "proved_writable", "value": uuid4().hex}
        statement = self.database.insert(meta)
        proof = statement.on_conflict_do_update(
            index_elements=["key"], set_={"value": statement.excluded.value}
        )
        await self.database.transact(lambda connection: connection.execute(proof, row))

    async def close(self) -> None:
        """Close all connections."""
        await self.database.close()

    async def _due(self, condition: ColumnElement[bool]) -> list[Due]:
        query = select(open_orders).where(condition).order_by(open_orders.c.due_at)
        async with self.database.read() as connection:
            rows = await connection.execute(query)
            return [Due(row.order_id, from_micros(row.due_at)) for row in rows]

    # --- one transaction for all who wait -----------------------------------------------------

    async def _commit(self, batch: list[Append]) -> list[Any]:
        return await self.database.transact(partial(self._commit_all, batch))

    def _commit_all(self, batch: list[Append], connection: Connection) -> list[Conflict | None]:
        winners, results = self._arbitrate(connection, batch)
        self._insert_events(connection, winners)
        self._move_open_orders(connection, winners)
        self._store_private(connection, winners)
        return results

    def _arbitrate(
        self, connection: Connection, batch: list[Append]
    ) -> tuple[list[Append], list[Conflict | None]]:
        """Split a batch into those whose expected version stands and the others' errors."""
        mine = {"order_ids": list({append.order_id for append in batch})}
        found = connection.execute(self._queries.versions, mine)
        versions: dict[str, int] = {order_id: version for order_id, version in found}
        winners: list[Append] = []
        results: list[Conflict | None] = []
        for append in batch:
            current = versions.get(append.order_id, 0)
            if current != append.expected_version:
                detail = f"expected version {append.expected_version}, found {current}"
                results.append(Conflict("stale_version", detail))
                continue
            versions[append.order_id] = current + len(append.events)
            winners.append(append)
            results.append(None)
        return winners, results

    def _insert_events(self, connection: Connection, winners: list[Append]) -> None:
        rows = [_row(stored) for append in winners for stored in append.events]
        if rows:
            connection.execute(insert(events), rows)

    def _move_open_orders(self, connection: Connection, winners: list[Append]) -> None:
        last = {append.order_id: append for append in winners}
        opened = [_open_row(append) for append in last.values() if append.due_at is not None]
        if opened:
            connection.execute(self._open, opened)
        closed = [{"closed": a.order_id} for a in last.values() if a.due_at is None]
        if closed:
            where = open_orders.c.order_id == bindparam("closed")
            connection.execute(delete(open_orders).where(where), closed)

    def _store_private(self, connection: Connection, winners: list[Append]) -> None:
        placed = [_private_row(a.order_id, a.private) for a in winners if a.private is not None]
        if placed:
            connection.execute(insert(order_private), placed)
        mine = order_private.c.order_id == bindparam("mine")
        tokens = [
            {"mine": a.order_id, "new_token": a.token or None}
            for a in winners
            if a.token is not None
        ]
        if tokens:
            forget = update(order_private).where(mine)
            connection.execute(forget.values(payment_token=bindparam("new_token")), tokens)
        erased = [{"mine": a.order_id} for a in winners if a.erase]
        if erased:
            connection.execute(
                update(order_private).where(mine).values(name=None, tel=None), erased
            )

    async def _load_all(self, order_ids: list[str]) -> list[History]:
        wanted = list(set(order_ids))
        histories = await self.database.query(partial(_histories, self._queries, wanted))
        return [histories[order_id] for order_id in order_ids]


class _Queries:
    """What is asked again and again about the orders of a list, built once."""

    def __init__(self, database: Database) -> None:
        def mine(column: Column[str]) -> ColumnElement[bool]:
            return database.among(column, "order_ids")

        e, p = events.c, order_private.c
        self.versions = (
            select(e.order_id, func.max(e.version)).where(mine(e.order_id)).group_by(e.order_id)
        )
        self.events = select(events).where(mine(e.order_id)).order_by(e.order_id, e.version)
        self.private = select(p.order_id, p.name, p.tel).where(mine(p.order_id))
        self.extras = (
            select(order_private, open_orders.c.ticket_version)
            .select_from(order_private.outerjoin(open_orders, p.order_id == open_orders.c.order_id))
            .where(mine(p.order_id))
        )


def _histories(
    queries: _Queries, wanted: list[str], connection: Connection
) -> dict[str, History]:
    histories = {order_id: History() for order_id in wanted}
    mine = {"order_ids": wanted}
    for row in connection.execute(queries.events, mine):
        histories[row.order_id].events.append(_stored(row))
    extras = {row.order_id: row for row in connection.execute(queries.extras, mine)}
    return {
        order_id: _with_extras(history, extras.get(order_id))
        for order_id, history in histories.items()
    }


def _with_extras(history: History, row: Row[Any] | None) -> History:
    if row is None:
        return history
    private = PrivateData(row.name, row.tel, row.payment_token)
    return History(history.events, private, row.ticket_version)


def _row(stored: StoredEvent) -> dict[str, Any]:
    tag, schema_version, data = encode_event(stored.event)
    return {
        "order_id": stored.order_id,
        "version": stored.version,
        "type": tag,
        "schema_version": schema_version,
        "data": data,
        "at": to_micros(stored.at),
        "command_id": stored.command_id,
    }


def _stored(row: Row[Any]) -> StoredEvent:
    event = decode_event(row.type, row.schema_version, row.data)
    return StoredEvent(row.order_id, row.version, event, from_micros(row.at), row.command_id)


def _open_row(append: Append) -> dict[str, Any]:
    assert append.due_at is not None
    return {
        "order_id": append.order_id,
        "slot": slot_of(append.order_id),
        "due_at": to_micros(append.due_at),
        "ticket_version": append.ticket_version,
    }


def _private_row(order_id: str, private: PrivateData) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "name": private.name,
        "tel": private.tel,
        "payment_token": private.payment_token,
    }
