"""When orders that wait to be paid are given up. Nothing is lost with it: the journal has it.

A deadline has come once the clock on the wall says so, or as much time has passed as the clock said
there was left; so a clock that is set back prolongs none by an hour. The clock is looked at once a
minute: whatever it is set to counts within that.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from actors.runtime.clock import Clock, utc_now

LOOK_S = 60.0


@dataclass(slots=True)
class _Waiting:
    """`due` is in seconds of the event loop's clock, which nobody sets."""

    at: datetime
    due: float
    timer: asyncio.TimerHandle


class Deadlines:
    """Calls `expire(order_id)` when an order's time has come; one timer an order, no task."""

    def __init__(self, expire: Callable[[str], None], clock: Clock = utc_now) -> None:
        self._expire = expire
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}

    def set(self, order_id: str, at: datetime | None, longest: timedelta | None = None) -> None:
        """Replace the order's deadline; None: it no longer matters.

        It is at most `longest` from now, also where the clock was ahead when it was given.
        """
        waiting = self._waiting.pop(order_id, None)
        if waiting is not None:
            waiting.timer.cancel()
        if at is None:
            return
        left = at - self._clock()
        if longest is not None:
            left = min(left, longest)
        due = asyncio.get_running_loop().time() + left.total_seconds()
        if waiting is not None and waiting.at == at:
            due = min(due, waiting.due)
        self._wait(order_id, at, due)

    def _wait(self, order_id: str, at: datetime, due: float) -> None:
        loop = asyncio.get_running_loop()
        pause = min(due - loop.time(), (at - self._clock()).total_seconds(), LOOK_S)
        timer = loop.call_later(max(0.0, pause), self._look, order_id)
        self._waiting[order_id] = _Waiting(at, due, timer)

    def _look(self, order_id: str) -> None:
        waiting = self._waiting.pop(order_id)
        if waiting.due <= asyncio.get_running_loop().time() or waiting.at <= self._clock():
            self._expire(order_id)
        else:
            self._wait(order_id, waiting.at, waiting.due)
