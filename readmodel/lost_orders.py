"""What a journal that lost its end leaves behind: money and tickets of orders that it has not.

Payment and store hear of an order only after the journal has it on disk. So what they know and it
does not was lost: a write-ahead log went missing, or an older backup took the journal's place.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, inspect, select, tuple_

from actors.order.journal import Journal
from actors.payment import tables as payment_tables
from actors.payment.tables import payments
from actors.runtime.database import Database
from actors.settings import Settings
from actors.store import tables as store_tables
from actors.store.tables import tickets

PAGE = 500
LOOK_BACK = 5000
"""How many of the newest payments, and tickets, are looked up at least; beyond that only for as
long as a page has some whose order is missing. What the journal lost is its end."""
PAUSE_S = 0.02
SHOWN = 5


@dataclass(frozen=True, slots=True)
class LostOrders:
    """Ids of orders, newest first: those with money, with a ticket, and with a newer ticket."""

    paid: list[str]
    ticketed: list[str]
    behind: list[str]

    def __bool__(self) -> bool:
        return bool(self.paid or self.ticketed or self.behind)

    def __str__(self) -> str:
        found = [
            _named(self.paid, "payments without an order in the journal"),
            _named(self.ticketed, "tickets without an order in the journal"),
            _named(self.behind, "tickets that are ahead of their order"),
        ]
        return "; ".join(filter(None, found))


async def find_lost_orders(settings: Settings, journal: Journal) -> LostOrders:
    """Look the newest payments and tickets up in the journal; raises `Unavailable`.

    Costs some ten queries each, however long the history is, and pauses between them.
    """
    p, t = payments.c, tickets.c
    charged = select(p.order_id, p.created_at).where(p.payment_id.is_not(None))
    opened = select(t.order_id, t.seq, t.version).where(t.number.is_not(None))
    money = Database(settings.url("payments"), payment_tables.metadata)
    store = Database(settings.url("stores"), store_tables.metadata)
    try:
        paid = await _look_up(money, journal, charged, p.created_at, p.order_id)
        ticketed = await _look_up(store, journal, opened, t.seq)
    finally:
        await money.close()
        await store.close()
    return LostOrders(
        list(paid),
        [order_id for order_id, known in ticketed.items() if not known],
        [order_id for order_id, known in ticketed.items() if known],
    )


async def _look_up(
    database: Database, journal: Journal, query: Select[Any], *key: Column[Any]
) -> dict[str, int]:
    """Return the orders that the journal has in an older version, by id; 0: not at all."""
    async with database.read() as connection:
        if not await connection.run_sync(_has_table, key[0].table.name):
            return {}  # its service starts for the first time, and has not made it yet
    newest_first = query.order_by(*(column.desc() for column in key)).limit(PAGE)
    page, looked_up = newest_first, 0
    lost: dict[str, int] = {}
    while True:
        async with database.read() as connection:
            rows = (await connection.execute(page)).all()
        versions = await journal.versions_of(row.order_id for row in rows)
        ahead = {
            row.order_id: versions.get(row.order_id, 0) for row in rows if _is_ahead(row, versions)
        }
        lost |= ahead
        looked_up += len(rows)
        if len(rows) < PAGE or (looked_up >= LOOK_BACK and not ahead):
            return lost
        last = tuple(getattr(rows[-1], column.name) for column in key)
        page = newest_first.where(tuple_(*key) < last)
        await asyncio.sleep(PAUSE_S)


def _has_table(connection: Connection, name: str) -> bool:
    return inspect(connection).has_table(name)


def _is_ahead(row: Row[Any], versions: dict[str, int]) -> bool:
    seen = max(1, getattr(row, "version", 1))  # whoever knows an order has it from its first event
    return seen > versions.get(row.order_id, 0)


def _named(order_ids: Sequence[str], what: str) -> str:
    if not order_ids:
        return ""
    more = ", …" if len(order_ids) > SHOWN else ""
    return f"{len(order_ids)} {what} ({', '.join(order_ids[:SHOWN])}{more})"
