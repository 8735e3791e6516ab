"""`siren forget`: a customer's name and phone number leave every order, and then every file."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import cast, func, select
from sqlalchemy.dialects.postgresql import JSONB

from actors.client import AsyncSiren
from actors.database import Database
from actors.domain.errors import SirenError
from actors.journal_tables import events, open_orders
from actors.lock_file import is_held, read_holder
from actors.retrying import until_done
from actors.settings import Settings
from actors.store_tables import metadata as store_metadata
from actors.store_tables import tickets
from cluster.scrub import scrub
from readmodel.tables import drop_shadow, open_database, order_detail

AT_ONCE = 64
CHUNK = 500
"""Ids in one query: databases limit how many it may have."""
FOLLOW_S = 60.0
POLL_S = 0.1

Progress = Callable[[str, int, int], None]
"""Gets what is being done, how much of it is, and how much there is."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was done: how many orders the customer has, and which databases were scrubbed."""

    orders: int
    databases: tuple[str, ...]


class _Customer(msgspec.Struct):
    name: str | None
    tel: str | None


class _Body(msgspec.Struct):
    customer: _Customer


_body = msgspec.json.Decoder(_Body)


async def forget_customer(settings: Settings, customer_id: str, progress: Progress) -> Forgotten:
    """Forget a customer of the running system; raises `SirenError` where it does not run."""
    folder = settings.data_dir.absolute()
    holder = read_holder(folder)
    if not is_held(folder) or "ray" not in holder:
        # Orders are erased through their mailboxes: only so do view and tickets follow.
        raise SirenError("not_up", f"nothing runs on {folder}: start it with `siren up`")
    siren = await AsyncSiren.connect(holder["ray"])
    try:
        return await forget(siren, customer_id, progress)
    finally:
        await siren.close()


async def forget(siren: AsyncSiren, customer_id: str, progress: Progress) -> Forgotten:
    """Erase name and phone number from all orders of a customer, then from the databases' files.

    The events stay, and with them the money's history and the customer's id. Repeating it is
    harmless and scrubs again. Raises `SirenError` where view or store do not follow in time: the
    journal is erased then, and the files are as they were.
    """
    settings = siren.installation.settings
    order_ids = await _orders_of(siren.journal.database, customer_id)
    for start in range(0, len(order_ids), AT_ONCE):
        chunk = order_ids[start : start + AT_ONCE]
        progress("erasing orders", start, len(order_ids))
        await asyncio.gather(*(until_done(partial(siren.erase, id_)) for id_ in chunk))
    progress("erasing orders", len(order_ids), len(order_ids))
    stores = Database(settings.url("stores"), store_metadata)
    view = open_database(settings.url("readmodel"))
    try:
        await _until_followed(siren, stores, view, order_ids, progress)
        # What a rebuild has made so far holds names; one that runs has to be begun again.
        await drop_shadow(view)
    finally:
        await stores.close()
        await view.close()
    databases = await scrub(settings, progress)
    return Forgotten(len(order_ids), databases)


async def _orders_of(database: Database, customer_id: str) -> list[str]:
    """Return the ids of a customer's orders, by the journal: the view may be behind."""
    if database.is_sqlite:
        placed_by: Any = func.json_extract(events.c.data, "$.customer_id")
    else:
        placed_by = cast(events.c.data, JSONB)["customer_id"].astext
    placed = select(events.c.order_id).where(events.c.version == 1)
    async with database.read() as connection:
        mine = placed.where(placed_by == customer_id).order_by(events.c.position)
        return list(await connection.scalars(mine))


async def _until_followed(
    siren: AsyncSiren, stores: Database, view: Database, order_ids: list[str], progress: Progress
) -> None:
    """Wait until neither a ticket nor the view has a name of these orders, nor will have one."""
    try:
        async with asyncio.timeout(FOLLOW_S):
            for start in range(0, len(order_ids), CHUNK):
                progress("waiting for view and tickets", start, len(order_ids))
                chunk = order_ids[start : start + CHUNK]
                while await _untold(siren, chunk) or await _named(stores, view, chunk):  # noqa: ASYNC110 - other processes do it
                    await asyncio.sleep(POLL_S)
    except TimeoutError as error:
        detail = "the view or the store has not followed yet; see `siren status`, then repeat it"
        raise SirenError("not_followed", detail) from error


async def _untold(siren: AsyncSiren, order_ids: list[str]) -> bool:
    """Whether the store has still to be told: a ticket may be on its way with the name on it."""
    unconfirmed = select(open_orders.c.order_id).where(
        open_orders.c.order_id.in_(order_ids), open_orders.c.ticket_version.is_not(None)
    )
    async with siren.journal.database.read() as connection:
        return (await connection.execute(unconfirmed.limit(1))).first() is not None


async def _named(stores: Database, view: Database, order_ids: list[str]) -> bool:
    on_tickets = select(tickets.c.order_id).where(
        tickets.c.order_id.in_(order_ids), tickets.c.customer_name.is_not(None)
    )
    async with stores.read() as connection:
        if (await connection.execute(on_tickets.limit(1))).first() is not None:
            return True
    bodies = select(order_detail.c.body).where(order_detail.c.order_id.in_(order_ids))
    async with view.read() as connection:
        found = list(await connection.scalars(bodies))
    people = (_body.decode(body).customer for body in found)
    # An order that the view does not have yet would bring its name along.
    return len(found) < len(order_ids) or any(p.name or p.tel for p in people)
