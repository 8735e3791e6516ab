"""Group work: while one batch is on its way, the next one gathers. No lingering when idle."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Generic, TypeVar

from actors.contracts.errors import Damaged, Unavailable
from actors.runtime import tracing

LARGEST_BATCH = 24
"""Who comes in a crowd goes on in parts: the next process, on another core, begins with the first
part while this one works on the second. With every payment taking 300 ms, 256 connections had 600
orders a second in batches of up to 256, 704 in those of up to 48, 744 with 32, and 2 % more so;
smaller ones cost more than they gain. That is where a commit takes 0.3 ms; see `Pace`."""
QUICK_S = 0.003
"""A commit that takes no longer does not stand in the way of batches of `LARGEST_BATCH`."""
MOST = 256
REMEMBERED = 4

Item = TypeVar("Item")
Result = TypeVar("Result")


class Pace:
    """How many items belong into a batch, by what its commit takes.

    As many more than `LARGEST_BATCH` as a commit takes longer than `QUICK_S`: where the disk or
    the network is what all wait for, those who travel in parts wait for it once for each part.
    The shortest of the last few commits counts: one that met a checkpoint tells nothing.
    """

    def __init__(self) -> None:
        self._took: deque[float] = deque([0.0], REMEMBERED)
        self._sizes: deque[int] = deque([1], REMEMBERED)

    def take(self, waiting: int) -> int:
        """Return how many of those who wait are in the next batch."""
        size = min(waiting, self.largest)
        self._sizes.append(size)
        return size

    def note(self, seconds: float) -> None:
        """Take a commit into account."""
        self._took.append(seconds)

    @property
    def holds_others_up(self) -> bool:
        """Whether others should go on while a commit is on its way: it takes long, and they exist.

        Who comes alone, time after time, would only wait for a thread in addition.
        """
        return min(self._took) > QUICK_S and max(self._sizes) > 1

    @property
    def largest(self) -> int:
        """How many items belong into a batch now, at most."""
        return min(MOST, int(LARGEST_BATCH * max(1.0, min(self._took) / QUICK_S)))


class Batcher(Generic[Item, Result]):
    """Runs `flush` on everything that was submitted since the last flush, one flush at a time.

    `flush` takes a list and returns one result (or exception) for each item, in order. If it
    raises on a batch, each item is tried alone, so that one bad item never spoils the others; not
    so for `Unavailable`, which is no item's fault and would only be waited for again and again,
    unless it is `Damaged`: that may be where one of them is stored.

    A batch has as many items at most as `pace` says, or `limit` where there is none. With a `span`
    each item's wait is traced by that name.
    """

    def __init__(
        self,
        flush: Callable[[list[Item]], Awaitable[list[Result]]],
        limit: int = LARGEST_BATCH,
        *,
        pace: Pace | None = None,
        span: str | None = None,
    ) -> None:
        self._flush = flush
        self._limit = limit
        self._pace = pace
        self._span = span
        self._waiting: list[tuple[Item, asyncio.Future[Result], float]] = []
        self._running: asyncio.Task[None] | None = None
        self._left_at: float | None = None
        self.took_s = 0.0
        """How long the first of the last batch was here, from its coming to its result."""

    @property
    def away_s(self) -> float:
        """For how many seconds the batch has been on its way that is; 0 where none is."""
        return 0.0 if self._left_at is None else time.monotonic() - self._left_at

    async def submit(self, item: Item) -> Result:
        """Return the item's own result once its batch is done, or raise its own error."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future, time.monotonic()))
        if self._running is None:
            self._left_at = time.monotonic()
            # For all of them: it is no part of what the first one does.
            self._running = asyncio.create_task(self._run(), context=Context())
        if self._span is None or not tracing.is_on():
            return await future
        with tracing.span(self._span):
            return await future

    async def _run(self) -> None:
        while self._waiting:
            waiting = len(self._waiting)
            limit = self._limit if self._pace is None else self._pace.take(waiting)
            batch = self._waiting[:limit]
            del self._waiting[:limit]
            await self._settle([(item, future) for item, future, _ in batch])
            self.took_s = time.monotonic() - batch[0][2]
        self._running = self._left_at = None

    async def _settle(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        self._left_at = time.monotonic()
        try:
            results = await self._flush([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - handed to the items' owners, never swallowed
            passing = isinstance(error, Unavailable) and not isinstance(error, Damaged)
            if passing:
                results = [error] * len(batch)  # type: ignore[list-item]
            elif len(batch) == 1:
                results = [error]  # type: ignore[list-item]
            else:
                for single in batch:
                    await self._settle([single])
                return
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():  # its owner gave up waiting
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
