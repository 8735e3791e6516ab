"""The store service: takes tickets in, follows their orders, and keeps menus and opening state.

Its data is read without it, through `store_queries`.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

import ray
from sqlalchemy import insert, select

from actors.addressing import get_or_create, node_address, whereabouts
from actors.contracts.errors import Damaged, Invalid, NotFound, SirenError
from actors.installation import Installation
from actors.runtime.batching import Batcher
from actors.runtime.clock import Clock, utc_now
from actors.runtime.database import Database, Transaction
from actors.runtime.exchange import Endpoint, Exchange
from actors.runtime.process import spare_garbage_collection
from actors.store import demo_stores
from actors.store.books import StoreBooks
from actors.store.tables import menu_items, metadata, stores
from actors.store.tickets import Books, StoreMessage, StoreReply, decide


class StoreService:
    """The store without Ray. Several of them on one database are safe, as two systems would be.

    Everything is decided inside a write transaction, on rows that were read in it; all messages
    that wait share one, in the order in which they arrived.
    """

    def __init__(self, url: str, clock: Clock = utc_now) -> None:
        self._database = Database(url, metadata)
        self._books = StoreBooks(self._database)
        self._clock = clock
        self._batches: Batcher[StoreMessage, StoreReply] = Batcher(self._commit)

    async def create(self) -> None:
        """Create the tables that are missing, and the demo stores where there is no store."""
        await self._database.create_tables()
        await self._database.add_column(stores.c.numbering)
        async with self._database.write() as connection:
            if await connection.scalar(select(stores.c.store_id).limit(1)) is None:
                await connection.execute(insert(stores), demo_stores.store_rows())
                await connection.execute(insert(menu_items), demo_stores.menu_rows())

    async def handle(self, message: StoreMessage) -> StoreReply:
        """Carry out a message durably and return its reply; repeating it changes nothing.

        Raises `NotFound` for a change of an unknown store or menu item, `Invalid` for one that
        cannot be, or `Unavailable` where the outcome is unknown.
        """
        return await self._batches.submit(message)

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()

    async def _commit(self, batch: list[StoreMessage]) -> list[Any]:
        return await self._database.transact(partial(self._commit_all, batch))

    def _commit_all(self, batch: Sequence[StoreMessage], transaction: Transaction) -> list[Any]:
        now = self._clock()  # after the lock, so that times follow the order of the tickets
        found = self._books.load(transaction, batch)
        books = found.copy()
        self._books.begin_days(transaction, books, batch, now)
        answers = [_answer(books, message, now) for message in batch]
        self._books.save(transaction, found, books)
        return answers


def _answer(books: Books, message: StoreMessage, now: datetime) -> StoreReply | SirenError:
    try:
        return decide(books, message, now)
    except (NotFound, Invalid) as error:
        return error  # one message's answer; the others' stand


class StoreActor:
    """The store service as a Ray actor, one an installation."""

    async def __init__(self, installation: Installation) -> None:  # type: ignore[misc]
        spare_garbage_collection()
        self._installation = installation
        self._service = StoreService(installation.settings.url("stores"))
        with suppress(Damaged):  # told and noted; what is elsewhere in it can still be read
            await self._service.create()
        self._exchange = Exchange(self._service.handle, node_address())

    async def endpoint(self) -> Endpoint:
        """Return where it takes requests (see `Exchange`)."""
        return await self._exchange.endpoint()

    async def describe(self) -> dict[str, Any]:
        """Return its whereabouts."""
        return whereabouts(self._installation)


_RemoteStoreActor = ray.remote(StoreActor)


def store_actor(installation: Installation) -> Any:
    """Return the handle of the store actor, created where it is missing. Blocks."""
    return get_or_create(_RemoteStoreActor, "store", installation)
