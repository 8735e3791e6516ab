"""The projection: folds the journal into the view's rows, and each event exactly once.

Rows and checkpoint change in one transaction that first compares the checkpoint with where its
events began. So of two projectors one wins, and a crash repeats a batch or leaves it done.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from msgspec import Struct
from sqlalchemy import Table, bindparam, select, update

from actors.codec import UnknownEvent, to_json
from actors.database import Database, Transaction
from actors.domain.detail import detail
from actors.domain.errors import Conflict
from actors.domain.events import CustomerErased, OrderPlaced, StoredEvent
from actors.domain.order import Order, evolve, fold
from actors.domain.values import PrivateData
from actors.journal import Journal
from readmodel.tables import LIVE, checkpoint, order_detail

BATCH = 1000
CACHED_ORDERS = 20_000

Batch = list[tuple[int, StoredEvent]]


class Folded(Struct, frozen=True):
    """An order as of journal position `position`; `seq` is the position where it was placed."""

    seq: int
    position: int
    order: Order
    private: PrivateData


def fold_batch(
    batch: Batch, before: dict[str, Folded], private: dict[str, PrivateData]
) -> dict[str, Folded]:
    """Return the orders that a batch of events touches, as they are after it.

    `before` has those placed before the batch, `private` the names and phone numbers of those
    placed in it. Raises `ValueError` where an order's events have a gap.
    """
    after: dict[str, Folded] = {}
    for position, stored in batch:
        order_id = stored.order_id
        known = after.get(order_id) or before.get(order_id)
        if known is None:
            if not isinstance(stored.event, OrderPlaced):
                raise ValueError(f"order {order_id} is not in the view: it must be rebuilt")
            placed = evolve(None, stored)
            person = private.get(order_id, PrivateData())
            after[order_id] = Folded(position, position, placed, person)
            continue
        erased = isinstance(stored.event, CustomerErased)
        person = PrivateData() if erased else known.private
        after[order_id] = Folded(known.seq, position, evolve(known.order, stored), person)
    return after


def row_of(folded: Folded) -> dict[str, Any]:
    """Return the row of an order."""
    order = folded.order
    return {
        "seq": folded.seq,
        "order_id": order.order_id,
        "version": order.version,
        "customer_id": order.customer_id,
        "store_id": order.store_id,
        "order_status": order.status,
        "position": folded.position,
        "body": to_json(detail(order, folded.private)).decode(),
    }


class Projection:
    """Brings one table, and the checkpoint named `name`, up to the journal. One task at a time.

    `position` is the checkpoint as last seen. Orders on their way stay in memory, at most
    `CACHED_ORDERS`; a missing one is loaded from the journal.
    """

    def __init__(
        self,
        journal: Journal,
        database: Database,
        table: Table = order_detail,
        name: str = LIVE,
    ) -> None:
        self.position = 0
        self._certain = False
        self._journal = journal
        self._database = database
        self._table = table
        self._name = name
        self._mine = checkpoint.c.name == name
        self._cached: OrderedDict[str, Folded] = OrderedDict()
        insert = database.insert(table)
        new = {
            c.name: insert.excluded[c.name] for c in table.c if c.name not in ("seq", "order_id")
        }
        upsert = insert.on_conflict_do_update(
            index_elements=["order_id"],
            set_=new,
            where=insert.excluded.version > table.c.version,  # a row never goes back
        )
        self._upsert = database.prepare(upsert, table.c.keys())
        c = checkpoint.c
        here = (c.name == bindparam("mine")) & (c.position == bindparam("here"))
        self._step = database.prepare(
            update(checkpoint).where(here).values(position=bindparam("there"))
        )

    async def catch_up(self, batch: int = BATCH) -> int:
        """Fold in all that the journal has; return the number of events.

        Raises `UnknownEvent` where the next event is one that this code does not know: whatever
        stands before it is folded in, nothing after it is.
        """
        total = 0
        while True:
            try:
                count = await self.fold_next(batch)
            except UnknownEvent:
                if batch == 1:
                    raise
                batch //= 2
                continue
            total += count
            if count < batch:
                return total

    async def fold_next(self, limit: int) -> int:
        """Fold in the next events, at most `limit`, in one transaction; return how many.

        Fewer than `limit` only at the journal's end. Raises `UnknownEvent` where one of them is
        unknown and `Conflict` where the checkpoint is gone; nothing is written then.
        """
        while True:
            if not self._certain:
                await self._reload()
            batch = await self._journal.read_after(self.position, limit)
            if not batch:
                return 0
            folded = await self._fold(batch)
            if await self._commit(batch[-1][0], folded.values()):
                self._remember(folded)
                return len(batch)

    async def _reload(self) -> None:
        """Begin afresh: what is in memory may be ahead of the view, or behind it."""
        self._cached.clear()
        async with self._database.read() as connection:
            position = await connection.scalar(select(checkpoint.c.position).where(self._mine))
        if position is None:
            raise Conflict("no_checkpoint", f"{self._name} was replaced, or never created.")
        self.position = position
        self._certain = True

    async def _fold(self, batch: Batch) -> dict[str, Folded]:
        first_versions: dict[str, int] = {}
        for _, stored in batch:
            first_versions.setdefault(stored.order_id, stored.version)
        placed = [order_id for order_id, version in first_versions.items() if version == 1]
        private = await self._journal.private_of(placed) if placed else {}
        earlier = {k: version for k, version in first_versions.items() if version > 1}
        before = {k: self._cached[k] for k in earlier if k in self._cached}
        missing = {k: version for k, version in earlier.items() if k not in before}
        if missing:
            before |= await self._load(missing)
        return fold_batch(batch, before, private)

    async def _load(self, first_versions: dict[str, int]) -> dict[str, Folded]:
        """Return orders as they were before the given versions."""
        mine = self._table.c.order_id.in_(first_versions)
        async with self._database.read() as connection:
            query = select(self._table.c.order_id, self._table.c.seq, self._table.c.position)
            rows = (await connection.execute(query.where(mine))).all()
        histories = await asyncio.gather(*(self._journal.load(row.order_id) for row in rows))
        loaded = {}
        for row, history in zip(rows, histories, strict=True):
            until = first_versions[row.order_id]
            order = fold(stored for stored in history.events if stored.version < until)
            if order is not None:
                person = replace(history.private, payment_token=None)
                loaded[row.order_id] = Folded(row.seq, row.position, order, person)
        return loaded

    async def _commit(self, position: int, folded: Iterable[Folded]) -> bool:
        """Move the checkpoint and the rows, or return False where another projector was first."""
        rows = [row_of(each) for each in folded]
        self._certain = False  # crash here: the batch may or may not be in the view
        if not await self._database.transact(partial(self._move, position, rows)):
            return False
        self.position = position
        self._certain = True
        return True

    def _move(self, position: int, rows: list[dict[str, Any]], transaction: Transaction) -> bool:
        step = {"mine": self._name, "here": self.position, "there": position}
        if not transaction.change(self._step, [step]):
            return False
        transaction.change(self._upsert, rows)
        return True

    def _remember(self, folded: dict[str, Folded]) -> None:
        for order_id, each in folded.items():
            self._cached.pop(order_id, None)
            if not each.order.finished:
                self._cached[order_id] = each
        while len(self._cached) > CACHED_ORDERS:
            self._cached.popitem(last=False)
