"""Which work of a process does not go on and should, though its event loop turns."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from actors.runtime.batching import Batcher
from actors.runtime.database import Database
from actors.runtime.waits import PATIENCE_S


def trouble_with(database: Database, *batchers: Batcher[Any, Any]) -> str | None:
    """Return what hangs between a process and a database; None where it only waits for that."""
    lost = database.waits.lost()
    if lost is not None:
        return f"a statement has not come back from {database.name} for {lost:.0f} s"
    if database.waits.are_long:
        return None
    longest = max((batcher.away_s for batcher in batchers), default=0.0)
    if longest > PATIENCE_S:
        return f"a batch for {database.name} has not come back for {longest:.0f} s"
    return None


def ended(tasks: Mapping[str, "asyncio.Task[Any]"]) -> str | None:
    """Return which of some tasks that never end has ended, None where all go on."""
    over = [name for name, task in tasks.items() if task.done()]
    return f"what should go on for ever has ended: {', '.join(over)}" if over else None


class Moving:
    """Tells for how long something that should go on has stood still, by what is seen of it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: object = None
        self._since = clock()

    def still_s(self, seen: object) -> float:
        """Return for how many seconds it has been like this each time that somebody looked."""
        if seen != self._seen:
            self._seen, self._since = seen, self._clock()
        return self._clock() - self._since


def first(troubles: Iterable[str | None]) -> str | None:
    """Return the first trouble, None where there is none."""
    return next((trouble for trouble in troubles if trouble is not None), None)
