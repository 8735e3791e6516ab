"""Appends for tests of the journal, and what then stands in it."""

from sqlalchemy import func, select

from actors.order.domain.events import Event, StoredEvent
from actors.order.journal import Journal
from actors.order.journal_appends import Append
from actors.order.journal_tables import events, open_orders, order_keys, order_private
from tests.support.orders import NOON, PLACED, REQUESTED


def appending(order_id: str, *, after: int = 0, count: int = 1, command_id: str = "c") -> Append:
    """Return an append of `count` events after version `after`."""

    facts: tuple[Event, ...] = (PLACED, *[REQUESTED] * (after + count))
    added = tuple(
        StoredEvent(order_id, version, facts[version - 1], NOON, command_id)
        for version in range(after + 1, after + count + 1)
    )
    return Append(order_id, after, added, due_at=None)


async def versions(journal: Journal, order_id: str) -> list[int]:
    return [stored.version for stored in (await journal.load(order_id)).events]


async def rows_everywhere(journal: Journal) -> list[int]:
    """How many rows stand in each table that an append may touch."""
    async with journal.database.read() as connection:
        return [
            await connection.scalar(select(func.count()).select_from(table)) or 0
            for table in (events, order_keys, open_orders, order_private)
        ]
