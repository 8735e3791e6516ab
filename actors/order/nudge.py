"""A hint that something was committed. It may get lost: whoever is nudged also polls."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ray.exceptions import RayError

from actors.runtime import tracing
from actors.runtime.replacing import Watch

PAUSE_S = 0.05
"""Under load one hint stands for all commits of this long."""
LOOK_S = 1.0


class Nudge:
    """Calls `nudge()` on an actor, at most one call at a time.

    The actor is created if it is missing, and replaced if it makes no sound.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._actor: Any = None
        self._watch = Watch(LOOK_S)
        self._pending = False
        self._task: asyncio.Task[None] | None = None

    def __call__(self) -> None:
        """Send a hint soon; never waits and never fails."""
        self._pending = True
        if self._task is None:
            self._task = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while self._pending:
            self._pending = False
            try:
                if self._actor is None:
                    self._actor = await asyncio.to_thread(self._connect)
                await self._watch.during(self._call(), self._actor)
            except (RayError, ValueError):
                # It is being started, and may hang in that: that is seen by whoever goes on asking.
                await asyncio.sleep(LOOK_S)
                self._watch.look(self._actor)
                self._actor, self._pending = None, True
            await asyncio.sleep(PAUSE_S)
        self._task = None

    def _call(self) -> Any:
        """Call it, with the contexts of what was committed where that is traced."""
        handed_on = tracing.taken_on()
        if handed_on:
            with suppress(TypeError):  # a projection of an earlier version takes none
                return self._actor.nudge.remote(handed_on)
        return self._actor.nudge.remote()
