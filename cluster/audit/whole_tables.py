"""What is asked of whole tables, not order by order. Never writes, and goes around damage."""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import Row, and_, func, select

from actors.order.journal_tables import events
from actors.payment.provider_tables import charges
from actors.store.tables import menu_items, stores, tickets
from cluster.audit.databases import Databases, wrong_column
from readmodel.tables import LIVE, checkpoint

PAGE = 2000


async def count_events(databases: Databases) -> int:
    """Return how many events the journal has."""
    query = select(func.count()).select_from(events)
    return await databases.scalar("journal", events, query)


async def lag(databases: Databases) -> int:
    """Return how many events the view is behind the journal."""
    reached = select(checkpoint.c.position).where(checkpoint.c.name == LIVE)
    position = await databases.scalar("readmodel", checkpoint, reached)
    behind = select(func.count()).select_from(events).where(events.c.position > position)
    return await databases.scalar("journal", events, behind)


async def set_back(databases: Databases) -> bool:
    """Return whether the journal lacks the event that the view has folded in last."""
    here = select(checkpoint.c.position, checkpoint.c.event).where(checkpoint.c.name == LIVE)
    reached = event = None
    with databases.around("readmodel", checkpoint.name):
        async with databases.read("readmodel") as connection:
            reached = (await connection.execute(here)).one_or_none()
    if reached is None or reached.position == 0:
        return False
    with databases.around("journal", events.name):
        query = select(events).where(events.c.position == reached.position)
        async with databases.read("journal") as connection:
            event = (await connection.execute(query)).one_or_none()
        noted = (reached.event or "").split(" ")
        if event is None or noted[0] != str(reached.position):
            return event is None
        return noted[1:] != [event.order_id, str(event.version), event.type, str(event.at)]
    return False


async def stray_charges(databases: Databases) -> AsyncIterator[dict[str, set[str]]]:
    """Yield the live charges that no order in the journal asked for, in pages."""
    live = select(charges.c.key).where(charges.c.status == "APPROVED").order_by(charges.c.key)
    after = ""
    while True:
        keys: list[str] = []
        page = live.where(charges.c.key > after).limit(PAGE)
        with databases.around("provider", charges.name):
            async with databases.read("provider") as connection:
                keys = list(await connection.scalars(page))
        if not keys:
            return
        yield await _strays(databases, keys)
        after = keys[-1]


async def shared_numbers(databases: Databases) -> list[Row[Any]]:
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
    with databases.around("stores", tickets.name):
        async with databases.read("stores") as connection:
            return list(await connection.execute(query.order_by(c.seq)))
    return []


async def check_books(databases: Databases) -> None:
    """Note what is wrong with the rows that belong to no order: stores and their menus."""
    for table in (stores, menu_items):
        rows: list[Row[Any]] = []
        with databases.around("stores", table.name):
            async with databases.read("stores") as connection:
                rows = list(await connection.execute(select(table)))
        for row in rows:
            wrong = wrong_column(table, row)
            if wrong is not None:
                words = f"the {wrong} of {row.store_id} is not what belongs there"
                databases.damage.setdefault(databases.place("stores", table.name), words)


async def _strays(databases: Databases, keys: list[str]) -> dict[str, set[str]]:
    owners = {key: key.rpartition(":")[0] or key for key in keys}
    asked_for = (
        select(events.c.order_id, func.count())
        .where(events.c.order_id.in_(set(owners.values())))
        .where(events.c.type == "PaymentRequested")
        .group_by(events.c.order_id)
    )
    asked: dict[str, int] | None = None
    with databases.around("journal", events.name):
        async with databases.read("journal") as connection:
            asked = {row[0]: row[1] for row in await connection.execute(asked_for)}
    if asked is None:  # whoever asked cannot be told
        return {}
    strays: dict[str, set[str]] = {}
    for key, order_id in owners.items():
        attempt = key.rpartition(":")[2]
        if not (attempt.isdecimal() and 1 <= int(attempt) <= asked.get(order_id, 0)):
            strays.setdefault(order_id, set()).add(key)
    return strays
