"""Looks after actors, also those of whom nobody asks anything: asks each whether its work goes on.

One whose process says twice that it does not is replaced, and so is one that says nothing: that is
noticed by its channel (see `Watch`). Several may look after the same ones: a process is killed as
the one that it was.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import ray

from actors.contracts.errors import SirenError
from actors.contracts.messages import HealthReply, HealthRequest
from actors.runtime.ray_actors import NAMESPACE
from actors.runtime.rpc_client import RpcClient

EVERY_S = 1.0
ASK_S = 10.0
"""How long an answer is waited for; the next question goes on with the silence of the last."""
FIRST_PAUSE_S = 15.0
LONGEST_PAUSE_S = 240.0
"""Between one replacement for trouble and the next: what comes back with the next process, a fault
of ours or of something that it waits for, shall not keep it from working for good."""

logger = logging.getLogger("siren")
Work = Callable[[], Coroutine[Any, Any, None]]
Ask = Callable[[], Awaitable[HealthReply]]
Replace = Callable[[int, str], Awaitable[None]]
"""Replaces the process of that number, and says why."""


class HealthWatch:
    """Asks one actor again and again."""

    def __init__(
        self, ask: Ask, replace: Replace, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._replace = replace
        self._clock = clock
        self._told_by: int | None = None
        self._pause_s = FIRST_PAUSE_S
        self._replaced_at = float("-inf")

    async def look(self) -> None:
        """Ask once; replace a process that has told of trouble the last time, too.

        One that was itself stopped for a while finds late what it is about to finish.
        """
        try:
            reply = await self._ask()
        except SirenError:  # none in time, or from an older version: its silence would be noticed
            return
        if reply.trouble is None:
            self._told_by = None
            return
        if reply.pid == self._told_by and self._may_replace():
            await self._replace(reply.pid, reply.trouble)
        self._told_by = reply.pid

    def _may_replace(self) -> bool:
        now = self._clock()
        since = now - self._replaced_at
        if since < self._pause_s:
            return False
        again = since < 2 * LONGEST_PAUSE_S
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S) if again else FIRST_PAUSE_S
        self._replaced_at = now
        return True

    async def look_for_ever(self, every_s: float = EVERY_S) -> None:
        """Look every so many seconds."""
        while True:
            try:
                await self.look()
            except Exception:
                logger.exception("looking after an actor failed")
            await asyncio.sleep(every_s)


def watch_over(connect: Callable[[], Any]) -> HealthWatch:
    """Return the watch over the actor that `connect` returns; it may block, and raise `ValueError`.

    It must not create the actor: whoever needs it does.
    """
    channel = RpcClient(connect)
    return HealthWatch(partial(channel.ask, HealthRequest(), ASK_S), channel.replace)


def watches_over(names: Iterable[str]) -> list[Work]:
    """Return the work of looking after the actors of these names, for `kept_healthy`."""
    return [watch_over(partial(ray.get_actor, name, NAMESPACE)).look_for_ever for name in names]


@contextmanager
def kept_healthy(works: Iterable[Work]) -> Iterator[None]:
    """Do what looks after actors while the block lasts, in a thread of its own."""
    loop = asyncio.new_event_loop()
    blocked = ThreadPoolExecutor(thread_name_prefix="health")  # in Ray, which may never answer
    loop.set_default_executor(blocked)
    all_of_it = loop.create_task(_together(works))

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(all_of_it)

    thread = threading.Thread(target=run, name="health", daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(all_of_it.cancel)
        thread.join(EVERY_S)
        blocked.shutdown(wait=False, cancel_futures=True)


def look_after(works: Iterable[Work]) -> None:
    """Do what looks after actors for ever; it blocks."""
    asyncio.run(_together(works))


async def _together(works: Iterable[Work]) -> None:
    await asyncio.gather(*(work() for work in works))
