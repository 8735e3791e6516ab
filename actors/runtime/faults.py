"""What this process's own databases refuse: a full disk, a server that is away, a lock.

That is nobody else's fault, however it looks from outside: so it is told, in the log once a minute
and by each actor's `describe`.
"""

import logging
import time
from collections.abc import Callable

LOG_EVERY_S = 60.0

logger = logging.getLogger("siren")


class Faults:
    """Remembers the newest fault, and logs those of each database at most once a minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: tuple[float, str] | None = None
        self._logged_at: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    def note(self, database: str, cause: str) -> None:
        """Tell of a fault; `cause` must hold no personal data."""
        now = self._clock()
        text = f"{database}: {cause}"
        self._last = (now, text)
        logged_at = self._logged_at.get(database)
        if logged_at is not None and now - logged_at < LOG_EVERY_S:
            self._untold[database] = self._untold.get(database, 0) + 1
            return
        self._logged_at[database] = now
        untold = self._untold.pop(database, 0)
        more = f" ({untold} times more since this was logged last)" if untold else ""
        logger.error("%s%s", text, more)

    def last(self) -> str | None:
        """Return what was refused last and how long ago that was; None where nothing was."""
        if self._last is None:
            return None
        at, text = self._last
        return f"{text} ({self._clock() - at:.0f} s ago)"


FAULTS = Faults()
"""Those of this process, which is one actor's."""
