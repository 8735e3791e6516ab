"""Group work: while one batch is on its way, the next one gathers. No lingering when idle."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from actors.domain.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

PER_ITEM_S = 0.0005
LONGEST_PAUSE_S = 0.005


class Pace:
    """Lets the next batch gather for longer, the larger the last one was.

    Each batch costs thread and process switches whatever its size. After a single item the next
    one begins at once; under load the pause grows by `per_item_s` an item, up to `longest_s`, and
    the batches grow with it.
    """

    def __init__(self, per_item_s: float, longest_s: float) -> None:
        self._per_item_s = per_item_s
        self._longest_s = longest_s
        self._next_at = 0.0

    def delay(self, now: float) -> float:
        """Return for how many seconds to wait; `now` is the event loop's time."""
        return max(0.0, self._next_at - now)

    def began(self, now: float, items: int) -> None:
        """Note that a batch of this size began."""
        pause = (items - 1) * self._per_item_s
        self._next_at = now + min(pause, self._longest_s)


class Batcher(Generic[Item, Result]):
    """Runs `flush` on everything that was submitted since the last flush, one flush at a time.

    `flush` takes a list and returns one result (or exception) for each item, in order. If it
    raises on a batch, each item is tried alone, so that one bad item never spoils the others; not
    so for `Unavailable`, which is no item's fault and would only be waited for again and again.
    """

    def __init__(
        self,
        flush: Callable[[list[Item]], Awaitable[list[Result]]],
        limit: int = 256,
    ) -> None:
        self._flush = flush
        self._limit = limit
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._running: asyncio.Task[None] | None = None
        self._pace = Pace(PER_ITEM_S, LONGEST_PAUSE_S)

    async def submit(self, item: Item) -> Result:
        """Return the item's own result once its batch is done, or raise its own error."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            if (delay := self._pace.delay(loop.time())) > 0:
                await asyncio.sleep(delay)
            self._pace.began(loop.time(), min(len(self._waiting), self._limit))
            batch = self._waiting[: self._limit]
            del self._waiting[: self._limit]
            await self._settle(batch)
        self._running = None

    async def _settle(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._flush([item for item, _ in batch])
        except Unavailable as error:
            results = [error] * len(batch)  # type: ignore[list-item]
        except Exception as error:  # noqa: BLE001 - handed to the items' owners, never swallowed
            if len(batch) == 1:
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
