"""An order's history read from the journal in parts: its first event, or a page of its events."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Integer, bindparam, select

from actors.contracts.errors import NotFound
from actors.order.domain.events import OrderPlaced
from actors.order.journal_rows import stored_event
from actors.order.journal_tables import events
from actors.runtime.batching import Batcher
from actors.runtime.database import Database
from actors.runtime.paging import Cursors, Page, check_limit

DEFAULT_PAGE = 100


class OrderHistories:
    """Reads from the journal's database. Raises `Unavailable` where it cannot be read.

    `secret` signs cursors.
    """

    def __init__(self, database: Database, secret: bytes | None = None) -> None:
        self._database = database
        self._cursors = Cursors("events", secret)
        self._placings: Batcher[str, OrderPlaced | None] = Batcher(self._load_placed)
        e = events.c
        first = select(events).where(database.among(e.order_id, "order_ids"), e.version == 1)
        self._first = database.prepare(first)
        self._after = database.prepare(
            select(events)
            .where(e.order_id == bindparam("mine"))
            # The version in a cursor may be larger than the column has room for.
            .where(e.version > bindparam("version", type_=BigInteger))
            .order_by(e.version)
            .limit(bindparam("limit", type_=Integer))
        )

    async def placed(self, order_id: str) -> OrderPlaced | None:
        """Return an order's first event, None where there is no order; calls that wait share it."""
        return await self._placings.submit(order_id)

    async def page(
        self, order_id: str, limit: int = DEFAULT_PAGE, cursor: str | None = None
    ) -> Page:
        """Return up to `limit` (1 to 200) `StoredEvent`s, oldest first, those after `cursor`.

        Reads no other. Raises `NotFound` where there is no such order, and `Invalid` for a limit
        out of range or a cursor that was not made here.
        """
        check_limit(limit)
        bound = {"order_id": order_id}
        version = 0 if cursor is None else self._cursors.decode(bound, cursor, int)[0]
        wanted = {"mine": order_id, "version": version, "limit": limit + 1}
        rows = await self._database.fetch(self._after, wanted)
        if not rows and await self.placed(order_id) is None:
            raise NotFound("order_not_found", "There is no order with this id.")
        with self._database.faults.foldable:
            found = [stored_event(row)[1] for row in rows[:limit]]
            if [each.version for each in found] != list(
                range(version + 1, version + 1 + len(found))
            ):
                raise ValueError(order_id)  # one of them is gone
        more = len(rows) > limit
        return Page(found, self._cursors.encode(bound, found[-1].version) if more else None)

    async def _load_placed(self, order_ids: Sequence[str]) -> list[Any]:
        rows = await self._database.fetch(self._first, {"order_ids": list(set(order_ids))})
        with self._database.faults.foldable:
            placed = {stored.order_id: stored.event for _, stored in map(stored_event, rows)}
        return [placed.get(order_id) for order_id in order_ids]
