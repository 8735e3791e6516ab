"""What this process's own databases refuse: a full disk, a server that is away, a lock.

That is nobody else's fault, however it looks from outside: so it is told, each cause once a minute
in the log, and the newest by each actor's `describe`.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

LOG_EVERY_S = 60.0
CAUSES = 5
"""As many of one database are logged within that: some drivers' words differ each time."""

logger = logging.getLogger("siren")


@dataclass(frozen=True, slots=True)
class _Logged:
    at: float
    untold: int = 0
    """How often it came since."""


class Faults:
    """Remembers the newest fault, and logs each cause of a database's at most once a minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: tuple[float, str] | None = None
        self._logged: defaultdict[str, dict[str, _Logged]] = defaultdict(dict)

    def note(self, database: str, cause: str) -> None:
        """Tell of a fault; `cause` must hold no personal data."""
        now = self._clock()
        text = f"{database}: {cause}"
        self._last = (now, text)
        logged = self._logged[database]
        known = logged.pop(cause, None)
        fresh = {each: fault for each, fault in logged.items() if now - fault.at < LOG_EVERY_S}
        self._logged[database] = fresh
        if known is not None and now - known.at < LOG_EVERY_S:
            fresh[cause] = replace(known, untold=known.untold + 1)
            return
        if len(fresh) >= CAUSES:
            return
        fresh[cause] = _Logged(now)
        untold = 0 if known is None else known.untold
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
