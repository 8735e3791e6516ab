"""Reads the journal's events around those that cannot be read."""

from collections.abc import Mapping, Sequence
from typing import Any

from actors.contracts.errors import Damaged, UnknownEvent
from actors.order.domain.events import StoredEvent
from actors.order.histories import (
    ReadablePart,
    UnreadableEvent,
    readable_part,
    unreadable_event,
    words_for,
)
from actors.order.journal_rows import stored_event
from actors.order.journal_statements import Statements
from actors.runtime.database import Database
from actors.runtime.database_faults import UNREADABLE

Placed = list[tuple[int, StoredEvent | UnreadableEvent]]
"""Events and their positions."""
READ_SINGLY = 2
"""Events at a time of which one that cannot be read is told from the other."""


class EventReader:
    """Reads the journal of a database. Raises `Unavailable` where that is away."""

    def __init__(self, database: Database, statements: Statements) -> None:
        self._database = database
        self._statements = statements

    async def after(self, position: int, limit: int) -> Placed:
        """Return the next events; see `Journal.read_after`."""
        after = {"position": position, "limit": limit}
        try:
            rows = await self._database.fetch(self._statements.read_after, after)
        except Damaged:
            if limit > READ_SINGLY:
                raise
            return await self._singly(after)
        return [(row[0], self._read(row)) for row in rows]

    async def part(self, order_id: str) -> ReadablePart:
        """Return what can be read of an order's events, from its first one on."""
        mine = {"order_ids": [order_id]}
        try:
            found = await self._database.fetch_all(self._statements.histories, mine)
        except Damaged as error:
            return ReadablePart([], error.detail, None)
        return readable_part(found[0], found[2])

    async def _singly(self, after: Mapping[str, int]) -> Placed:
        found: Placed = []
        for envelope in await self._database.fetch(self._statements.envelopes, after):
            alone = {"position": envelope[0] - 1, "limit": 1}
            try:
                (row,) = await self._database.fetch(self._statements.read_after, alone)
                found.append((envelope[0], self._read(row)))
            except Damaged as error:
                found.append((envelope[0], unreadable_event(envelope, error)))
        return found

    def _read(self, row: Sequence[Any]) -> StoredEvent | UnreadableEvent:
        try:
            return stored_event(row)[1]
        except UnknownEvent:
            raise
        except UNREADABLE:
            error = self._database.faults.unreadable(words_for(row))
            return unreadable_event((*row[:4], row[6]), error)
