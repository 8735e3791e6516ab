"""The projection: folds the journal into the view's rows, and each event exactly once.

Rows and checkpoint change in one transaction that first compares the checkpoint with where its
events began. So of two projectors one wins, and a crash repeats a batch or leaves it done. An order
that cannot be folded is set aside: its row stays as it was, and the others go on.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Table, Text, bindparam, select, update

from actors.contracts.errors import Conflict, Damaged, UnknownEvent
from actors.order.domain.events import StoredEvent
from actors.order.event_codec import EVENT_TAGS
from actors.order.histories import UnreadableEvent
from actors.order.journal import Journal
from actors.runtime.clock import to_micros
from actors.runtime.database import Database
from actors.runtime.group_commit import GroupCommit, Seen
from actors.runtime.statements import Row, Transaction
from readmodel.fold_traces import FoldTraces
from readmodel.folding import (
    Batch,
    Folded,
    ViewIncomplete,
    brings_private_data,
    fold_batch,
    rows_of,
)
from readmodel.loading import Loaded, load_before
from readmodel.set_aside import SetAside
from readmodel.tables import LIVE, checkpoint, order_detail

BATCH = 1000
CACHED_ORDERS = 20_000


class JournalReplaced(Exception):
    """The journal is not the one that the view was folded from: it was set back, or exchanged."""

    def __init__(self, position: int) -> None:
        super().__init__(position)

    def __str__(self) -> str:
        return (
            f"the event that the view had read last, at position {self.args[0]}, is not in the "
            "journal: it lost its end, or an older copy took its place"
        )


def mark(position: int, stored: StoredEvent | UnreadableEvent) -> str:
    """Return what tells an event from any other that may come to stand at its position."""
    if isinstance(stored, UnreadableEvent):
        return f"{position} {stored.order_id} {stored.version} {stored.type} {stored.at}"
    kind = EVENT_TAGS[type(stored.event)]
    return f"{position} {stored.order_id} {stored.version} {kind} {to_micros(stored.at)}"


class Projection:
    """Brings one table, and the checkpoint named `name`, up to the journal. One task at a time.

    `position` is the checkpoint as last seen. Orders on their way stay in memory, at most
    `CACHED_ORDERS`; a missing one is loaded from the journal. What is set aside is noted in the
    journal before the checkpoint goes past it, and folded whole as soon as that can be done.
    """

    def __init__(
        self,
        journal: Journal,
        database: Database,
        table: Table = order_detail,
        name: str = LIVE,
    ) -> None:
        self.position = 0
        self.traces = FoldTraces()
        self._last: str | None = None  # the mark of the event at `position`
        self._certain = False
        self._journal = journal
        self._database = database
        self._table = table
        self._name = name
        self._cached: OrderedDict[str, Folded] = OrderedDict()
        self._aside = SetAside(journal)
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
            update(checkpoint)
            .where(here)
            .values(position=bindparam("there"), event=bindparam("new_event", type_=Text))
        )
        mine = c.name == bindparam("mine")
        self._where = database.prepare(select(c.name, c.position).where(mine))
        self._seek = database.prepare(select(c.position, c.event).where(mine))
        known = select(table.c.order_id, table.c.seq, table.c.position)
        self._known = database.prepare(known.where(database.among(table.c.order_id, "order_ids")))
        self._commits = GroupCommit(database, (self._where,), (self._step, self._upsert), "view")

    async def catch_up(self, batch: int = BATCH) -> int:
        """Fold in all that the journal has; return the number of events.

        Raises `UnknownEvent` where the next event is one that this code does not know, `Damaged`
        where not even whose it is can be read: whatever stands before it is folded in, nothing
        after it is. To go on behind it would leave orders in the view as they never were, and
        nothing would tell that they lack an event.
        """
        total = 0
        while True:
            try:
                count = await self.fold_next(batch)
            except (UnknownEvent, Damaged):
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
        unknown, `JournalReplaced` where the journal lacks what was folded in last, and `Conflict`
        where the checkpoint is gone; nothing is written then.
        """
        while True:
            fresh = not self._certain
            if fresh:
                await self._reload()
            batch = await self._read(limit)
            if batch is None:
                if fresh:
                    raise JournalReplaced(self.position)
                self._certain = False  # or the view was replaced, and memory is what is wrong
                continue
            if not batch:
                return 0
            began_ns = time.time_ns()
            folded, rows = await self._fold(batch)
            if await self._commit(*batch[-1], rows):
                self.traces.folded(folded, began_ns)
                self._remember(folded)
                if self._name == LIVE:
                    await self._aside.forget({stored.order_id for _, stored in batch})
                return len(batch)

    async def mended(self) -> None:
        """Note that the view, which all was folded into, has orders again that were set aside."""
        await self._aside.forget(self._aside.noted)

    async def fold_again(self, order_ids: Sequence[str] | None = None) -> set[str]:
        """Fold orders anew, without any those that are set aside; return those that can be."""
        if not self._certain:
            await self._reload()
        folded = await self._aside.try_again(self._aside.noted if order_ids is None else order_ids)
        rows, unfit = rows_of(folded.values())
        await self._aside.add(unfit)
        if rows:
            new = list(rows.values())
            await self._database.transact(lambda t: t.change(self._upsert, new))
            for order_id in rows:
                self._cached.pop(order_id, None)
        await self._aside.forget(rows)
        return set(rows)

    async def follows(self) -> bool:
        """Return whether the journal has what this view has folded in last."""
        await self._reload()
        return await self._read(0) is not None

    async def _read(self, limit: int) -> Batch | None:
        """Return the next events, at most `limit`; None where the one before them is not there."""
        if self.position == 0:
            return await self._journal.read_after(0, limit)
        batch = await self._journal.read_after(self.position - 1, limit + 1)
        if not batch or batch[0][0] != self.position:
            return None
        found = mark(*batch[0])
        if self._last is None and await self._has_folded(batch[0][1]):
            self._last = found
        return batch[1:] if found == self._last else None

    async def _has_folded(self, last: StoredEvent | UnreadableEvent) -> bool:
        """Return whether the view has the event at the checkpoint, which noted none, as its last.

        The row of an order tells its last event. It is not looked for by its position: that has
        no index.
        """
        c = self._table.c
        query = select(c.version, c.position).where(c.order_id == last.order_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return row is not None and (row.version, row.position) == (last.version, self.position)

    async def _reload(self) -> None:
        """Begin afresh: what is in memory may be ahead of the view, or behind it."""
        self._cached.clear()
        rows = await self._database.fetch(self._seek, {"mine": self._name})
        if not rows:
            raise Conflict("no_checkpoint", f"{self._name} was replaced, or never created.")
        self.position, event = rows[0]
        # Code that did not know marks moves the position alone.
        self._last = event if (event or "").startswith(f"{self.position} ") else None
        await self._aside.recall(anew=self.position == 0)
        self._certain = True

    async def _fold(self, batch: Batch) -> tuple[dict[str, Folded], list[dict[str, Any]]]:
        """Return the orders that a batch changes, where they are not ahead of it, and all rows."""
        first_versions: dict[str, int] = {}
        for _, stored in batch:
            first_versions.setdefault(stored.order_id, stored.version)
        told = [s.order_id for _, s in batch if brings_private_data(s)]
        private = await self._journal.private_of(told) if told else {}
        earlier = {k: version for k, version in first_versions.items() if version > 1}
        before = {k: self._cached[k] for k in earlier if k in self._cached}
        missing = {k: v for k, v in earlier.items() if k not in before and k not in self._aside}
        unread: dict[str, Exception] = {}
        if missing:
            loaded, unread = await self._load(missing)
            before |= loaded
        aside = [order_id for order_id in first_versions if order_id in self._aside]
        folded, failed = fold_batch(batch, before, private, {*unread, *aside})
        rows, unfit = rows_of(folded.values())
        troubled = unread | failed | unfit
        if troubled or aside:
            rows |= await self._fold_whole(troubled, aside)
            folded = {k: each for k, each in folded.items() if k not in troubled}
        return folded, list(rows.values())

    async def _fold_whole(
        self, troubled: dict[str, Exception], aside: list[str]
    ) -> dict[str, dict[str, Any]]:
        """Return the rows of those orders that can be folded as a whole; set the others aside."""
        whole = await self._aside.try_again([*troubled, *aside])
        for order_id, error in troubled.items():
            found = whole.get(order_id)
            if isinstance(error, ViewIncomplete) and found and found.seq <= self.position:
                raise error
            self._cached.pop(order_id, None)
        rows, unfit = rows_of(whole.values())
        lasting = {k: error for k, error in troubled.items() if k not in whole}
        await self._aside.add(lasting | unfit)
        return rows

    async def _load(self, first_versions: dict[str, int]) -> Loaded:
        """Return orders as they were before the given versions, and what cannot be read."""
        rows = await self._database.fetch(self._known, {"order_ids": list(first_versions)})
        return await load_before(self._journal, rows, first_versions)

    async def _commit(
        self, position: int, last: StoredEvent | UnreadableEvent, rows: list[dict[str, Any]]
    ) -> bool:
        """Move the checkpoint and the rows, or return False where another projector was first."""
        step: dict[str, Any] = {"mine": self._name, "here": self.position, "there": position}
        step["new_event"] = mark(position, last)
        self._certain = False  # crash here: the batch may or may not be in the view
        here: Seen = (self._where, {"mine": self._name}, [(self._name, self.position)])
        move = partial(self._move, here, step, rows)
        if not await self._commits.run(move, lambda: [here], len(rows)):
            return False
        self.position, self._last = position, step["new_event"]
        self._certain = True
        return True

    def _move(
        self, here: Seen, step: Row, rows: list[dict[str, Any]], transaction: Transaction
    ) -> bool:
        if [tuple(row) for row in transaction.all(*here[:2])] != here[2]:
            return False
        transaction.change(self._step, [step])
        if rows:
            transaction.change(self._upsert, rows)
        return True

    def _remember(self, folded: dict[str, Folded]) -> None:
        for order_id, each in folded.items():
            self._cached.pop(order_id, None)
            if not each.order.finished:
                self._cached[order_id] = each
        while len(self._cached) > CACHED_ORDERS:
            self._cached.popitem(last=False)
