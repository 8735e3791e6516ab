"""The journal: the append-only events of all orders, and what commits together with them.

Nothing is acknowledged before it is on disk. All appends that wait go into one transaction (group
commit); an append whose expected version is stale is dropped alone and never spoils its batch.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from msgspec import Struct
from sqlalchemy import Select, func, select

from actors.contracts.errors import Damaged
from actors.contracts.values import PrivateData
from actors.order import journal_upgrade
from actors.order.domain.events import StoredEvent
from actors.order.event_reader import EventReader
from actors.order.histories import (
    History,
    ReadablePart,
    UnreadableEvent,
    histories_of,
)
from actors.order.ids import key_of
from actors.order.journal_appends import Append, append_all, believed
from actors.order.journal_failures import JournalFailures
from actors.order.journal_schema import OLDEST, SCHEMA_VERSION, schema_of
from actors.order.journal_statements import Statements
from actors.order.journal_tables import (
    JOURNAL_SCHEMA_VERSION,
    OLDEST_CODE,
    events,
    meta,
    metadata,
    open_orders,
    order_keys,
)
from actors.order.metrics import count_events
from actors.order.open_order_queries import DUE_OF_ONE, due_in, overdue_in
from actors.runtime.batching import Batcher
from actors.runtime.clock import from_micros, to_micros, utc_now
from actors.runtime.database import Database
from actors.runtime.group_commit import GroupCommit
from actors.runtime.schema import Recorded, check_usable

KEY_PARTS = 256
"""Keys are read by their first two digits: as long as one reader stays, SQLite's log grows."""
BEHIND_HEX_DIGITS = "g"
CLOCKS_DIFFER = timedelta(seconds=30)
"""Machines agree upon the time within this, unless one of them is set."""
ORDER_HOSTS = "order_hosts"
"""In `meta`: among how many hosts the slots are divided."""


class Due(Struct, frozen=True):
    """An open order and the moment when somebody must look at it."""

    order_id: str
    due_at: datetime


class Journal:
    """Reads and appends events. Every process that needs the journal opens its own."""

    def __init__(self, url: str) -> None:
        self.database = Database(url, metadata)
        self.failures = JournalFailures(self.database)
        known = self._statements = Statements(self.database)
        self._reader = EventReader(self.database, known)
        self._commits = GroupCommit(self.database, known.arbitration, known.appending, "journal")
        self._appends: Batcher[Append, int] = Batcher(
            self._commit, pace=self.database.pace, span="commit journal"
        )
        self._loads: Batcher[str, History] = Batcher(self._load_together)
        self.batchers: tuple[Batcher[Any, Any], ...] = (self._appends, self._loads)

    async def create(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Create the tables that are missing, and make an older journal into today's.

        `progress` gets the position that an upgrade has reached, and the last one. Raises
        `SirenError` where a newer version of the code made it unfit for this one.
        """
        found = await self.schema()
        if found is not None:
            check_usable("journal", found, JOURNAL_SCHEMA_VERSION)
        await self.database.create_tables()
        written_by = int(await self.remember(SCHEMA_VERSION, str(JOURNAL_SCHEMA_VERSION)))
        await journal_upgrade.upgrade(self.database, progress or (lambda _done, _total: None))
        if written_by <= JOURNAL_SCHEMA_VERSION:
            await self._raise_oldest_code()

    async def schema(self) -> Recorded | None:
        """Return the schema that the journal says it has; None where it has none yet."""
        return await schema_of(self.database)

    async def _raise_oldest_code(self) -> None:
        if int(await self.remember(OLDEST, str(OLDEST_CODE))) < OLDEST_CODE:
            await self.replace(OLDEST, str(OLDEST_CODE))

    async def remember(self, key: str, value: str) -> str:
        """Store `value` under `key` unless there is one already; return the one that stands."""
        async with self.database.write() as connection:
            row = {"key": key, "value": value}
            await connection.execute(self.database.insert(meta).on_conflict_do_nothing(), row)
            return str(await connection.scalar(select(meta.c.value).where(meta.c.key == key)))

    async def recall(self, key: str) -> str | None:
        """Return what stands under `key`; None where nothing does."""
        async with self.database.read() as connection:
            found: str | None = await connection.scalar(
                select(meta.c.value).where(meta.c.key == key)
            )
            return found

    async def replace(self, key: str, value: str) -> None:
        """Store `value` under `key`, whatever stood there."""
        replacement = self.database.prepare_upsert(meta, "key", ["value"])
        row = {"key": key, "value": value}
        await self.database.transact(lambda transaction: transaction.change(replacement, [row]))

    async def append(self, append: Append) -> int:
        """Append durably: on return the events are on disk. Returns the order's last seal.

        Raises `Conflict` where the order has moved on from `expected_version`, `AlreadyPlaced`
        where its key has placed another one (nothing was stored then), or `Unavailable` where the
        outcome is unknown (load again before deciding again).
        """
        return await self._appends.submit(append)

    async def load(self, order_id: str) -> History:
        """Return the committed history of an order; empty where there is none.

        Raises `Damaged` where it cannot be read, `UnknownEvent` where only newer code can.
        """
        return await self._loads.submit(order_id)

    async def placed_as(self, order_id: str) -> str | None:
        """Return the id of the order that this one's key has placed; None where it placed none."""
        rows = await self.database.fetch(self._statements.keys, {"keys": [key_of(order_id)]})
        return str(rows[0][1]) if rows else None

    async def prewarm_keys(self) -> int:
        """Read all keys, so that their pages are in memory; return how many there are.

        The key of a new order belongs anywhere among those of all orders. After a reboot, or where
        Linux let go of pages that nobody had asked for, each order would wait for the disk there:
        two million others made that 1,584 orders a second instead of 1,697.
        """
        count = 0
        for part in range(KEY_PARTS):
            begin = f"{part:02x}"
            mine = order_keys.c.key.between(begin, begin + BEHIND_HEX_DIGITS)
            async with self.database.read() as connection:
                count += await connection.scalar(select(func.count()).where(mine)) or 0
        return count

    async def load_each(self, order_ids: Sequence[str]) -> list[Any]:
        """Return the committed histories of some orders, in one query.

        In the place of one that cannot be read is the error that says so.
        """
        try:
            return await self._load_together(order_ids)
        except Damaged as error:
            if len(order_ids) == 1:
                return [error]
            half = len(order_ids) // 2
            first = await self.load_each(order_ids[:half])
            return first + await self.load_each(order_ids[half:])

    async def _load_together(self, order_ids: Sequence[str]) -> list[Any]:
        wanted = list(set(order_ids))
        found = await self.database.fetch_all(self._statements.histories, {"order_ids": wanted})
        histories = histories_of(wanted, found, self.database.faults.unreadable)
        return [histories[order_id] for order_id in order_ids]

    async def readable_part(self, order_id: str) -> ReadablePart:
        """Return what can be read of an order's events, from its first one on."""
        return await self._reader.part(order_id)

    async def private_of(self, order_ids: Iterable[str]) -> dict[str, PrivateData]:
        """Return private data but for card tokens of the orders that exist; None: erased."""
        mine = {"order_ids": list(order_ids)}
        rows = await self.database.fetch(self._statements.private, mine)
        return {
            order_id: PrivateData(name, tel, cancel_reason=reason)
            for order_id, name, tel, reason in rows
        }

    async def versions_of(self, order_ids: Iterable[str]) -> dict[str, int]:
        """Return the versions of those orders that exist."""
        rows = await self.database.fetch(self._statements.versions, {"order_ids": list(order_ids)})
        return dict(rows)  # type: ignore[arg-type]

    async def read_after(
        self, position: int, limit: int
    ) -> list[tuple[int, StoredEvent | UnreadableEvent]]:
        """Return up to `limit` (position, event) after `position`, in order of position.

        Raises `UnknownEvent` for one that a newer version of the code wrote, and `Damaged` where
        not even whose event it is can be read; several at once may raise it for one of them.
        """
        return await self._reader.after(position, limit)

    async def last_position(self) -> int:
        """Return the position of the newest event; 0 where there is none."""
        async with self.database.read() as connection:
            return await connection.scalar(select(func.max(events.c.position))) or 0

    async def open_orders(self, slots: Sequence[int]) -> list[Due]:
        """Return the open orders of some slots, those longest due first."""
        return await self._due(due_in(tuple(slots)))

    async def open_order(self, order_id: str) -> list[Due]:
        """Return the one order if it is open, else nothing."""
        return await self._due(DUE_OF_ONE, mine=order_id)

    async def overdue(
        self, slots: Sequence[int], by: datetime, after: str, limit: int
    ) -> list[Due]:
        """Return open orders of some slots that were due by a moment, beyond the id `after`.

        Also those with a step outstanding since a moment that is yet to come: there the clock was
        set back. In order of id, so about the oldest first, and at most `limit`. Reads all open
        orders up to the last one returned: an index of the moments would cost each order more.
        """
        query, late = overdue_in(tuple(slots)), to_micros(by)
        ahead = to_micros(by + CLOCKS_DIFFER)
        bound = {"late": late, "ahead": ahead, "after": after, "most": limit}
        async with self.database.read() as connection:
            rows = await connection.execute(query, bound)
            return [Due(row.order_id, min(by, from_micros(row.due_at))) for row in rows]

    async def count_overdue(self, by: datetime) -> tuple[int, datetime | None]:
        """Return how many open orders were due by a moment, and when the first of them was."""
        late = open_orders.c.due_at <= to_micros(by)
        query = select(func.count(), func.min(open_orders.c.due_at)).where(late)
        async with self.database.read() as connection:
            count, oldest = (await connection.execute(query)).one()
            return count, None if oldest is None else from_micros(oldest)

    async def prove_writable(self) -> None:
        """Commit a write; raises `Unavailable` where the disk or the server refuses it."""
        # Something new each time: SQLite does not write what changes nothing.
        await self.replace("proved_writable", uuid4().hex)

    async def close(self) -> None:
        """Close all connections."""
        await self.database.close()

    async def _due(self, query: Select[Any], **bound: Any) -> list[Due]:
        now = to_micros(utc_now())
        async with self.database.read() as connection:
            rows = await connection.execute(query, {"now": now, **bound})
            return [Due(row[0], from_micros(_due_by(now, *row[1:]))) for row in rows]

    async def _commit(self, batch: list[Append]) -> list[Any]:
        known = self._statements
        work, seen = partial(append_all, known, batch), partial(believed, known, batch)
        results = await self._commits.run(work, seen, len(batch))
        count_events(a.events for a, no in zip(batch, results, strict=True) if isinstance(no, int))
        return results


def _due_by(now: int, due_at: int, began: int | None, last: int | None) -> int:
    """Return when to look at an order, whatever the clock was set to since its events `at` them.

    A step that is outstanding is due now; a payment deadline is as far away as it was at the most.
    What is no time, which SQLite keeps as well, is now: it must not keep others from being read.
    """
    if not all(isinstance(each, int | None) for each in (due_at, began, last)):
        return now
    if began is None or last is None:
        return due_at
    return now if due_at <= last else min(due_at, now + due_at - began)
