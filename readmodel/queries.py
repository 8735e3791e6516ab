"""Reading the view. Needs no actor: only the read model's database."""

import asyncio
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass

import msgspec
from sqlalchemy import bindparam, select

from actors.runtime.batching import Batcher
from actors.runtime.hanging import trouble_with
from actors.runtime.paging import Cursors, Page, check_limit
from readmodel.tables import LIVE, checkpoint, open_database, order_detail

POLL_S = 0.05
LOOK_UP = 500
"""Orders that one query looks up for those who wait: it holds the event loop for less than 1 ms."""
LONGEST_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class DetailRow:
    """One order of the view; `body` is the order detail, response-ready JSON."""

    version: int
    body: str


class _Body(msgspec.Struct):
    """What a body must at least hold to be the one of its row."""

    order_id: str
    version: int
    store_id: str
    order_status: str
    customer: dict[str, str | None]


_body = msgspec.json.Decoder(_Body)


class OrderDetails:
    """Queries of the view. All raise `Unavailable` where its database cannot be read.

    `secret` signs cursors.
    """

    def __init__(self, url: str, secret: bytes | None = None) -> None:
        self._database = open_database(url)
        self._cursors = Cursors("order details", secret)
        self._gets: Batcher[str, DetailRow | None] = Batcher(self._get_all)
        c = order_detail.c
        mine = self._database.among(c.order_id, "order_ids")
        self._changed = self._database.prepare(
            select(c.order_id, c.version, c.body).where(mine, c.position > bindparam("since"))
        )
        here = checkpoint.c.name == bindparam("name")
        self._position = self._database.prepare(select(checkpoint.c.position).where(here))

    async def get(self, order_id: str) -> DetailRow | None:
        """Return one order, or None where the view has none."""
        return await self._gets.submit(order_id)

    async def page(
        self,
        customer_id: str | None = None,
        store_id: str | None = None,
        order_status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Return the JSON bodies of up to `limit` orders that match all filters, newest first.

        Orders placed while somebody turns pages shift nothing. Raises `Invalid` for a cursor that
        was not made here, or a limit out of range.
        """
        check_limit(limit)
        filters = {"customer_id": customer_id, "store_id": store_id, "order_status": order_status}
        query = select(order_detail.c.order_id, order_detail.c.body)
        query = query.order_by(order_detail.c.seq.desc()).limit(limit + 1)
        for column, value in filters.items():
            if value is not None:
                query = query.where(order_detail.c[column] == value)
        if cursor is not None:
            # Not its position, which would tell how much the whole chain sells.
            (order_id,) = self._cursors.decode(filters, cursor, str)
            last = select(order_detail.c.seq).where(order_detail.c.order_id == order_id)
            query = query.where(order_detail.c.seq < last.scalar_subquery())
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        more = rows[limit - 1].order_id if len(rows) > limit else None
        next_cursor = None if more is None else self._cursors.encode(filters, more)
        return Page([self._checked(row.order_id, row.body) for row in rows[:limit]], next_cursor)

    async def order_ids(self, customer_id: str, limit: int, before: str | None = None) -> list[str]:
        """Return the ids of up to `limit` orders of a customer, newest first, `before` one of them.

        Nothing comes before an order that is not this customer's.
        """
        c = order_detail.c
        mine = select(c.order_id).where(c.customer_id == customer_id)
        if before is not None:
            last = select(c.seq).where(c.order_id == before, c.customer_id == customer_id)
            mine = mine.where(c.seq < last.scalar_subquery())
        async with self._database.read() as connection:
            return list(await connection.scalars(mine.order_by(c.seq.desc()).limit(limit)))

    async def position(self) -> int:
        """Return the journal position that the view has reached; 0 before any."""
        rows = await self._database.fetch(self._position, {"name": LIVE})
        return int(rows[0][0]) if rows else 0

    async def changed(self, order_ids: list[str], since: int) -> dict[str, DetailRow]:
        """Return those of some orders that have changed after journal position `since`."""
        asked = {"order_ids": order_ids, "since": since}
        rows = await self._database.fetch(self._changed, asked)
        return {
            order_id: DetailRow(version, self._checked(order_id, body))
            for order_id, version, body in rows
        }

    def trouble(self) -> str | None:
        """Return what hangs between this process and the view; see `trouble_with`."""
        return trouble_with(self._database, self._gets)

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()

    def _checked(self, order_id: str, body: str) -> str:
        """Return a body as it is; raises `Damaged` where it is not this order's detail."""
        with self._database.faults.readable:
            if _body.decode(body).order_id != order_id:
                raise ValueError(order_id)
        return body

    async def _get_all(self, order_ids: list[str]) -> list[DetailRow | None]:
        rows = await self.changed(order_ids, since=0)
        return [rows.get(order_id) for order_id in order_ids]


@dataclass(frozen=True, slots=True, eq=False)
class _Watch:
    version: int
    seen: asyncio.Future[DetailRow | None]


class Watcher:
    """Waits for changes of the view: one poll for all who wait in this process, none when idle."""

    def __init__(self, details: OrderDetails) -> None:
        self._details = details
        self._watched: defaultdict[str, set[_Watch]] = defaultdict(set)
        self._poll: asyncio.Task[None] | None = None
        self.released = False

    async def wait_beyond(self, order_id: str, version: int, timeout: float) -> DetailRow | None:
        """Return the order as soon as the view has it in a version above `version`.

        Returns None after `timeout` seconds without one, or once all were released. Raises
        `Unavailable` where the view cannot be read.
        """
        watch = _Watch(version, asyncio.get_running_loop().create_future())
        self._watched[order_id].add(watch)
        try:
            # Only after the watch stands: a change is seen by this look or by a later poll.
            row = await self._details.get(order_id)
            if row is not None and row.version > version:
                return row
            if self.released:
                return None
            if self._poll is None:
                self._poll = asyncio.create_task(self._poll_while_watched())
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):  # `wait_for` may swallow a cancellation
                    return await watch.seen
            return None
        finally:
            self._forget(order_id, watch)

    def release(self) -> None:
        """Let go all who wait, and keep nobody waiting from now on: they shall ask elsewhere."""
        self.released = True
        for watches in self._watched.values():
            for watch in watches:
                if not watch.seen.done():
                    watch.seen.set_result(None)

    async def close(self) -> None:
        """Stop looking; who still waits is let go empty-handed."""
        if self._poll is not None:
            self._poll.cancel()
            await asyncio.wait({self._poll})

    def _forget(self, order_id: str, watch: _Watch) -> None:
        self._watched[order_id].discard(watch)
        if not self._watched[order_id]:
            del self._watched[order_id]

    async def _poll_while_watched(self) -> None:
        reached, loop = 0, asyncio.get_running_loop()
        try:
            while self._watched:
                began = loop.time()
                position = await self._details.position()
                if position != reached:
                    # A rebuild from a journal that was set back begins at lower positions again.
                    await self._wake_those_behind(since=reached if position > reached else 0)
                    reached = position
                # Thousands who wait cost those who order a fifth of the time, not all of it.
                pause = 4 * (loop.time() - began)
                await asyncio.sleep(min(max(POLL_S, pause), LONGEST_PAUSE_S))
        except Exception as error:  # noqa: BLE001 - handed to all who wait, never swallowed
            self._fail(error)
        finally:
            self._poll = None

    async def _wake_those_behind(self, since: int) -> None:
        watched = list(self._watched)
        for start in range(0, len(watched), LOOK_UP):
            rows = await self._details.changed(watched[start : start + LOOK_UP], since)
            for order_id, row in rows.items():
                for watch in self._watched.get(order_id, ()):
                    if row.version > watch.version and not watch.seen.done():
                        watch.seen.set_result(row)

    def _fail(self, error: Exception) -> None:
        for watches in self._watched.values():
            for watch in watches:
                if not watch.seen.done():
                    watch.seen.set_exception(error)
