"""What keeps orders from going on, in the journal's database: known although everything is down.

Written by whoever fails, at a bounded rate, and read by people. Nothing is decided on it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    Connection,
    bindparam,
    case,
    func,
    inspect,
    literal_column,
    select,
    update,
)

from actors.order.domain.failure import LOAD, VIEW, Failure
from actors.order.journal_tables import events, open_orders, order_failures
from actors.runtime.clock import from_micros, to_micros
from actors.runtime.database import Database

MOST = 1000
"""Orders that are told of at a time."""
PART = 500


class Overdue(Struct, frozen=True):
    """An order that should have gone on: what it fails at; none where nobody noted a failure.

    `due_at`: since when it should; None where nothing but a failure is known of it.
    """

    order_id: str
    due_at: datetime | None
    failures: tuple[Failure, ...]


class JournalFailures:
    """Reads and writes what orders fail at. Raises `Unavailable` where the database is away."""

    def __init__(self, database: Database) -> None:
        f = order_failures.c
        insert = database.insert(order_failures)
        new = insert.excluded
        goes_on = f.ended_at.is_(None)
        upsert = insert.on_conflict_do_update(
            index_elements=["order_id", "work"],
            set_={
                "tries": case((goes_on, f.tries), else_=literal_column("0")) + new.tries,
                "since": case((goes_on, f.since), else_=new.since),
                **{name: new[name] for name in ("last_at", "code", "cause", "set_aside")},
                "ended_at": new.ended_at,
            },
        )
        mine = (f.order_id == bindparam("mine")) & (f.work == bindparam("its_work"))
        self._database = database
        self._note = database.prepare(upsert, f.keys())
        self._end = database.prepare(
            update(order_failures).where(mine, goes_on).values(ended_at=bindparam("at"))
        )

    async def write(
        self, failures: Sequence[Failure], ended: Iterable[tuple[str, str]], at: datetime
    ) -> None:
        """Note failures, and that some (order, work) ended at a moment; tries add up."""
        rows = [_row_of(failure) for failure in failures]
        ends = [
            {"mine": order_id, "its_work": work, "at": to_micros(at)} for order_id, work in ended
        ]

        def work(transaction: Any) -> None:
            if rows:
                transaction.change(self._note, rows)
            if ends:
                transaction.change(self._end, ends)

        if rows or ends:
            await self._database.transact(work)

    async def of_order(self, order_id: str) -> list[Failure]:
        """Return all that an order failed at, ended or not, in the order in which it began."""
        mine = order_failures.c.order_id == order_id
        return sorted(await self._where(mine), key=lambda failure: failure.since)

    async def lasting(self, work: str) -> list[Failure]:
        """Return failures of one kind that have not ended, the oldest first, at most `MOST`."""
        return await self._found(_LASTING, work=work)

    async def overdue(self, by: datetime) -> tuple[int, list[Overdue]]:
        """Return how many orders should have gone on by a moment, and the first `MOST` of them.

        Those due by then that have not moved since, and those that are set aside.
        """
        o = open_orders.c
        late = o.due_at <= to_micros(by)
        first = select(o.order_id, o.due_at).where(late).order_by(o.due_at).limit(MOST)
        async with self._database.read() as connection:
            due = {row.order_id: row.due_at for row in await connection.execute(first)}
        count = await self.count_overdue(by)
        aside = await self._where(_aside())
        failures: dict[str, list[Failure]] = {order_id: [] for order_id in due}
        for failure in aside:
            failures.setdefault(failure.order_id, [])
        ids = list(failures)
        for start in range(0, len(ids), PART):
            mine = order_failures.c.order_id.in_(ids[start : start + PART])
            for failure in await self._where(mine & order_failures.c.ended_at.is_(None)):
                failures[failure.order_id].append(failure)
        return max(count, len(failures)), [
            Overdue(each, from_micros(due[each]) if each in due else None, tuple(found))
            for each, found in failures.items()
        ]

    async def count_overdue(self, by: datetime) -> int:
        """Return how many orders should have gone on by a moment. Reads open orders, no others."""
        o, f = open_orders.c, order_failures.c
        late = o.due_at <= to_micros(by)
        known = select(o.order_id).where(o.order_id == f.order_id, late).exists()
        async with self._database.read() as connection:
            count = await connection.scalar(select(func.count()).where(late)) or 0
            if await connection.run_sync(_has_table):
                others = select(func.count(f.order_id.distinct())).where(_aside(), ~known)
                count += await connection.scalar(others) or 0
        return count

    async def positions_of(self, order_ids: Sequence[str]) -> dict[str, list[int]]:
        """Return the journal positions of orders' events, in order of version."""
        e = events.c
        mine = select(e.order_id, e.position).where(e.order_id.in_(order_ids))
        found: dict[str, list[int]] = {}
        async with self._database.read() as connection:
            for row in await connection.execute(mine.order_by(e.order_id, e.version)):
                found.setdefault(row.order_id, []).append(row.position)
        return found

    async def _where(self, condition: Any) -> list[Failure]:
        return await self._found(_query(condition))

    async def _found(self, query: Any, **bound: Any) -> list[Failure]:
        async with self._database.read() as connection:
            if not await connection.run_sync(_has_table):
                return []  # of an earlier version, and not opened by this one yet
            return [_failure_of(row) for row in await connection.execute(query, bound)]


def _query(condition: Any) -> Any:
    return select(order_failures).where(condition).order_by(order_failures.c.since).limit(MOST)


_LASTING = _query(
    order_failures.c.ended_at.is_(None) & (order_failures.c.work == bindparam("work"))
)
"""Built once: each projector asks for it as it begins."""


def _aside() -> Any:
    """Return the condition of failures that keep an order set aside."""
    f = order_failures.c
    # A step of an order that is not open was done by a process that died before it said so.
    is_open = select(open_orders.c.order_id).where(open_orders.c.order_id == f.order_id).exists()
    return f.ended_at.is_(None) & (f.set_aside == 1) & (f.work.in_((LOAD, VIEW)) | is_open)


def _has_table(connection: Connection) -> bool:
    return inspect(connection).has_table(order_failures.name)


def _row_of(failure: Failure) -> dict[str, Any]:
    return {
        "order_id": failure.order_id,
        "work": failure.work,
        "tries": failure.tries,
        "since": to_micros(failure.since),
        "last_at": to_micros(failure.last_at),
        "code": failure.code,
        "cause": failure.cause,
        "set_aside": int(failure.set_aside),
        "ended_at": None if failure.ended_at is None else to_micros(failure.ended_at),
    }


def _failure_of(row: Any) -> Failure:
    ended_at = None if row.ended_at is None else from_micros(row.ended_at)
    return Failure(
        row.order_id,
        row.work,
        row.tries,
        from_micros(row.since),
        from_micros(row.last_at),
        row.code,
        row.cause,
        bool(row.set_aside),
        ended_at,
    )
