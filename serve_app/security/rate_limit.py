"""How many requests each subject may send to a replica.

Measured with a monotonic clock. The library that was here before, `limits`, knows only the clock on
the wall: set back an hour, it refused whoever had used up a minute for that hour.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from serve_app.contract.identity import Identity
from serve_app.contract.problems import Refused, too_many

SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}


@dataclass(slots=True)
class _Window:
    ends_at: float
    left: int


class RateLimit:
    """At most so many requests a subject, as in "300/minute", from its first one on."""

    def __init__(self, limit: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        most, _, unit = limit.partition("/")
        self._most = int(most)
        self._length_s = SECONDS[unit]
        self._clock = clock
        # All windows are equally long: whichever began first ends first, and is let go.
        self._windows: dict[tuple[str, str], _Window] = {}

    def count(self, identity: Identity) -> None:
        """Count a request; raises `Refused` (429) where it is one too many."""
        now = self._clock()
        self._let_go(now)
        who = (str(identity.role), identity.subject)  # a customer may be called "owner"
        window = self._windows.get(who)
        if window is None:
            window = self._windows[who] = _Window(now + self._length_s, self._most)
        if window.left == 0:
            raise Refused(too_many(math.ceil(window.ends_at - now)))
        window.left -= 1

    def _let_go(self, now: float) -> None:
        while self._windows:
            who = next(iter(self._windows))
            if self._windows[who].ends_at > now:
                return
            del self._windows[who]
