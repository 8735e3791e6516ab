"""What a process waits for from outside: how long that takes, and whether it is lost in it.

Who waits for a database that is locked, or for a payment provider, does nothing wrong: what else is
late meanwhile is late for that. But no wait is longer than its limit.
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE_S = 5.0
"""After this long what waits for nothing known counts as hanging. A commit takes milliseconds."""
SLOW_S = 1.0
"""Whatever takes longer keeps those waiting who need it."""
RECENT_S = 8.0
"""For so long after a slow answer others may still be late for it."""
NEVER_S = 2.0
"""Who should have given up by then, so much later, is lost in it."""
AT_WORK = ("R", "D")
"""States of a thread that computes, or would where a core was free, or waits for the disk."""


def is_at_work() -> bool:
    """Return whether another thread of this process computes, or waits for the disk."""
    me = threading.get_native_id()
    return any(state in AT_WORK for state in thread_states(os.getpid(), but=me))


def thread_states(pid: int, but: int | None = None) -> list[str]:
    """Return what the threads of a process do, as /proc has it; nothing where it is not there."""
    states = []
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        if stat.parent.name != str(but):
            with suppress(OSError, IndexError):  # it has ended
                states.append(stat.read_text().rpartition(") ")[2][0])
    return states


class Waits:
    """The waits for one thing. Below a microsecond for each."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        is_at_work: Callable[[], bool] = is_at_work,
    ) -> None:
        self.clock = clock
        self._is_at_work = is_at_work
        self.waiting: dict[Wait, float] = {}
        """Since when each waits that does."""
        self.slow_at = float("-inf")
        """When one ended last that had taken longer than `SLOW_S`."""

    def up_to(self, limit_s: float) -> "Wait":
        """Return what is entered while somebody waits, who gives up after `limit_s` seconds."""
        return Wait(self, limit_s)

    @property
    def are_long(self) -> bool:
        """Whether somebody waits for longer than `SLOW_S`, or has waited so a moment ago."""
        now = self.clock()
        longest = max((now - began for began in self.waiting.values()), default=0.0)
        return longest > SLOW_S or now - self.slow_at < RECENT_S

    def lost(self) -> float | None:
        """Return for how many seconds somebody waits beyond their limit; None where nobody does.

        Not where a thread is at work for it: a statement may take long.
        """
        now = self.clock()
        late = (now - began for wait, began in self.waiting.items() if now - began > wait.limit_s)
        longest = max(late, default=None)
        return None if longest is None or self._is_at_work() else longest


class Wait:
    """One of the waits for something: a context manager."""

    __slots__ = ("_waits", "limit_s")

    def __init__(self, waits: Waits, limit_s: float) -> None:
        self._waits = waits
        self.limit_s = limit_s

    def __enter__(self) -> Self:
        waits = self._waits
        waits.waiting[self] = waits.clock()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        waits = self._waits
        now = waits.clock()
        if now - waits.waiting.pop(self) > SLOW_S:
            waits.slow_at = now
