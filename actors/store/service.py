"""The store service: takes tickets in, follows their orders, and keeps menus and opening state.

Its data is read without it, through `queries`.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import insert, select

from actors.contracts.errors import Invalid, NotFound, SirenError
from actors.runtime.batching import Batcher
from actors.runtime.clock import Clock, utc_now
from actors.runtime.database import Database
from actors.runtime.group_commit import GroupCommit
from actors.runtime.hanging import trouble_with
from actors.runtime.schema import bring_up_to_date
from actors.runtime.statements import Transaction
from actors.store import demo_stores
from actors.store.books import StoreBooks
from actors.store.tables import SCHEMA, menu_items, metadata, stores
from actors.store.tickets import Books, StoreMessage, StoreReply, decide


class StoreService:
    """The store without Ray. Several of them on one database are safe, as two systems would be.

    Everything is decided on rows that are still the same in the write transaction that has what
    follows from them; all messages that wait share one, in the order in which they arrived.
    """

    def __init__(self, url: str, clock: Clock = utc_now) -> None:
        self.database = Database(url, metadata)
        self._books = StoreBooks(self.database)
        self._clock = clock
        self._commits = GroupCommit(self.database, self._books.reads, self._books.changes, "stores")
        self._batches: Batcher[StoreMessage, StoreReply] = Batcher(
            self._commit, pace=self.database.pace, span="commit stores"
        )

    async def create(self) -> None:
        """Create the tables that are missing, and the demo stores where there is no store."""
        await bring_up_to_date(self.database, SCHEMA)
        async with self.database.write() as connection:
            if await connection.scalar(select(stores.c.store_id).limit(1)) is None:
                await connection.execute(insert(stores), demo_stores.store_rows())
                await connection.execute(insert(menu_items), demo_stores.menu_rows())

    async def handle(self, message: StoreMessage) -> StoreReply:
        """Carry out a message durably and return its reply; repeating it changes nothing.

        Raises `NotFound` for a change of an unknown store or menu item, `Invalid` for one that
        cannot be, or `Unavailable` where the outcome is unknown.
        """
        return await self._batches.submit(message)

    def trouble(self) -> str | None:
        """Return what hangs between this process and the database; see `trouble_with`."""
        return trouble_with(self.database, self._batches)

    async def close(self) -> None:
        """Close all connections."""
        await self.database.close()

    async def _commit(self, batch: list[StoreMessage]) -> list[Any]:
        return await self._commits.run(
            partial(self._commit_all, batch), partial(self._books.believed, batch), len(batch)
        )

    def _commit_all(self, batch: Sequence[StoreMessage], transaction: Transaction) -> list[Any]:
        # On SQLite the lock is held by now. On PostgreSQL it is taken afterwards, and a store that
        # changed meanwhile is decided on anew: a store's times follow the order of its tickets.
        now = self._clock()
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
