"""`siren forget`: all that is known of a person leaves every order, and then every file."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import msgspec
from sqlalchemy import select

from actors.contracts.errors import Damaged, SirenError, Unavailable
from actors.order.domain.order import fold
from actors.order.domain.saga import AuthorizePayment, CancelPayment, next_steps
from actors.order.journal import Journal
from actors.order.journal_tables import events, open_orders
from actors.runtime.database import Database
from actors.runtime.database_faults import file_of, sqlite_files
from actors.runtime.lock_file import ray_address
from actors.runtime.message_codec import to_json
from actors.runtime.retrying import until_done
from actors.settings import Settings
from actors.store.tables import metadata as store_metadata
from actors.store.tables import tickets
from cluster.client import connect
from cluster.operations.database_urls import check_urls
from cluster.operations.scrub import scrub
from cluster.running.cluster_address import cluster_address
from readmodel.tables import drop_shadow, open_database, order_detail
from serve_app.backend import Backend

AT_ONCE = 64
CHUNK = 500
"""Ids in one query: databases limit how many it may have."""
FOLLOW_S = 60.0
"""How long view and store are given to follow."""
PAYMENT_S = 5.0
"""How long payments that are under way are waited for: a provider may be silent for days."""
POLL_S = 0.1

Progress = Callable[[str, int, int], None]
"""Gets what is being done, how much of it is, and how much there is."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer's orders; `forgotten`: all of them were erased before."""

    order_ids: tuple[str, ...]
    forgotten: bool


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was done, and what is left to do.

    `paying`: orders whose payment is under way; their card tokens are needed until it is over.
    `behind`: orders whose name or words view or store had not given up in time, and those that
    cannot be read.
    """

    orders: int
    databases: tuple[str, ...]
    before: bool = False
    paying: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()


async def find_customer(settings: Settings, customer_id: str) -> Customer:
    """Return a customer of the running system.

    Raises `SirenError` where it does not run, or never had an order of this customer.
    """
    check_urls(settings)
    _address(settings)  # orders are erased through their mailboxes
    journal = Journal(settings.url("journal"))
    try:
        return await _find(journal.database, customer_id)
    finally:
        await journal.close()


def _address(settings: Settings) -> str:
    """Return where the Ray of the running system is: one machine's, or the cluster's.

    Raises `Unavailable` where none runs.
    """
    try:
        return ray_address(settings.data_dir.absolute())
    except Unavailable:
        if not sqlite_files(settings):  # no cluster has them
            with suppress(Unavailable):
                return cluster_address()
        raise


async def forget_customer(settings: Settings, customer_id: str, progress: Progress) -> Forgotten:
    """Forget a customer of the running system; raises `SirenError` where it does not run."""
    siren = await connect(await asyncio.to_thread(_address, settings))
    try:
        mine, its = settings.url("journal"), siren.installation.settings.url("journal")
        if file_of(mine) is None and mine != its:
            detail = "the system that runs here has another journal than these settings name"
            raise SirenError("another_system", detail)
        return await forget(siren, customer_id, progress)
    finally:
        await siren.close()


async def forget(siren: Backend, customer_id: str, progress: Progress) -> Forgotten:
    """Erase what is known of a person from all orders of a customer, then from the files.

    That is name, phone number, and the words of cancellations. The events stay, and with them the
    money's history and the customer's id. Whatever cannot be done now is told, and everything else
    is done; repeating it is harmless and does the rest. Raises `SirenError` for a customer who has
    never ordered, or where a database cannot be scrubbed.
    """
    settings = siren.installation.settings
    customer = await _find(siren.journal.database, customer_id)
    versions = await _erase(siren, customer.order_ids, progress)
    stores = Database(settings.url("stores"), store_metadata)
    view = open_database(settings.url("readmodel"))
    try:
        paying, behind = await _Following(siren, stores, view).wait(versions, progress)
        unread = [each for each in customer.order_ids if each not in versions]
        # What a rebuild has made so far holds names; one that runs has to be begun again.
        await drop_shadow(view)
    finally:
        await stores.close()
        await view.close()
    databases = await scrub(settings, progress)
    return Forgotten(len(versions), databases, customer.forgotten, paying, (*behind, *unread))


async def _find(database: Database, customer_id: str) -> Customer:
    """Return a customer by the journal: the view may be behind."""
    e = events.c
    # Not the database's JSON: one event that is none would spoil the query for every customer.
    named = e.data.contains(to_json({"customer_id": customer_id})[1:-1].decode(), autoescape=True)
    mine = select(e.order_id, e.data).where(e.version == 1, named).order_by(e.position)
    erased = select(e.order_id).where(e.type == "CustomerErased")
    async with database.read() as connection:
        rows = await connection.execute(mine)
        order_ids = [row.order_id for row in rows if _is_by(row.data, customer_id)]
        if not order_ids:
            detail = f"there is no customer {customer_id!r}: nobody has ordered under this id"
            raise SirenError("unknown_customer", detail)
        known = set()
        for chunk in _chunks(order_ids, CHUNK):
            known |= set(await connection.scalars(erased.where(e.order_id.in_(chunk))))
    return Customer(tuple(order_ids), len(known) == len(order_ids))


class _Placed(msgspec.Struct):
    customer_id: str


def _is_by(data: str, customer_id: str) -> bool:
    try:
        return msgspec.json.decode(data, type=_Placed).customer_id == customer_id
    except msgspec.MsgspecError:
        return True  # it cannot be read, and names the customer


async def _erase(siren: Backend, order_ids: tuple[str, ...], progress: Progress) -> dict[str, int]:
    """Erase the customer from all orders that can be read; return the versions that say so."""
    versions: dict[str, int] = {}
    for chunk in _chunks(order_ids, AT_ONCE):
        progress("erasing orders", len(versions), len(order_ids))
        work = (until_done(partial(_erase_one, siren, order_id)) for order_id in chunk)
        erased = zip(chunk, await asyncio.gather(*work), strict=True)
        versions |= {order_id: version for order_id, version in erased if version is not None}
    progress("erasing orders", len(order_ids), len(order_ids))
    return versions


async def _erase_one(siren: Backend, order_id: str) -> int | None:
    """Return the order's version after it; None where it cannot be read, now or later."""
    try:
        return (await siren.erase(order_id, wait=0)).version
    except Damaged:
        return None


class _Following:
    """Waits until neither a ticket nor the view has anything of some orders, or will have."""

    def __init__(self, siren: Backend, stores: Database, view: Database) -> None:
        self._siren = siren
        self._stores = stores
        self._view = view

    async def wait(
        self, versions: dict[str, int], progress: Progress
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the orders that wait for a payment, and those that have not followed in time."""
        now = asyncio.get_running_loop().time
        began = now()
        paying: list[str] = []
        behind: list[str] = []
        for done, chunk in enumerate(_chunks(list(versions), CHUNK)):
            progress("waiting for view and tickets", done * CHUNK, len(versions))
            while True:
                unpaid, late = await self._left({k: versions[k] for k in chunk})
                patience = FOLLOW_S if late else PAYMENT_S if unpaid else 0
                if now() - began >= patience:
                    break
                await asyncio.sleep(POLL_S)
            paying += sorted(unpaid)
            behind += sorted(late)
        return tuple(paying), tuple(behind)

    async def _left(self, versions: dict[str, int]) -> tuple[set[str], set[str]]:
        """Return the orders whose payment is under way, and those that are behind."""
        untold = await self._untold(list(versions))
        # Such a ticket has not been asked for: it will be without a name.
        paying = await self._waiting_for_payment(untold)
        late = (set(untold) - paying) | await self._named(list(versions))
        return paying, late | await self._unseen(versions)

    async def _untold(self, order_ids: list[str]) -> list[str]:
        """Return the orders that the store has still to be told of: tickets may have the name."""
        c = open_orders.c
        unconfirmed = select(c.order_id).where(
            c.order_id.in_(order_ids), c.ticket_version.is_not(None)
        )
        async with self._siren.journal.database.read() as connection:
            return list(await connection.scalars(unconfirmed))

    async def _waiting_for_payment(self, order_ids: list[str]) -> set[str]:
        waiting = set()
        histories = await self._siren.journal.load_each(order_ids) if order_ids else []
        for order_id, history in zip(order_ids, histories, strict=True):
            order = None if isinstance(history, Damaged) else fold(history.events)
            steps = next_steps(order, 0) if order is not None else ()
            if len(steps) == 1 and isinstance(steps[0], AuthorizePayment | CancelPayment):
                waiting.add(order_id)
        return waiting

    async def _named(self, order_ids: list[str]) -> set[str]:
        on_tickets = select(tickets.c.order_id).where(
            tickets.c.order_id.in_(order_ids), tickets.c.customer_name.is_not(None)
        )
        async with self._stores.read() as connection:
            return set(await connection.scalars(on_tickets))

    async def _unseen(self, versions: dict[str, int]) -> set[str]:
        """Return the orders that the view does not show as erased yet."""
        c = order_detail.c
        rows = select(c.order_id, c.version).where(c.order_id.in_(list(versions)))
        async with self._view.read() as connection:
            seen = {row.order_id: row.version for row in await connection.execute(rows)}
        return {k for k, version in versions.items() if seen.get(k, 0) < version}


def _chunks(order_ids: Iterable[str], size: int) -> list[list[str]]:
    everything = list(order_ids)
    return [everything[start : start + size] for start in range(0, len(everything), size)]
