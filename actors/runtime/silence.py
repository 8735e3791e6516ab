"""How long a peer has been silent, as far as whoever listens can tell."""

import time


class Silence:
    """Seconds without a sound, looked at every `every_s` seconds.

    Only time in which the listener was awake counts: one that was itself stopped, or on a machine
    that slept, would else take its own absence for the other's silence.
    """

    __slots__ = ("_every_s", "_looked_at", "seconds")

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._looked_at = time.monotonic()
        self.seconds = 0.0

    def begin(self) -> None:
        """Listen from now on: the time since the last look was not spent waiting for a sound."""
        self._looked_at = time.monotonic()

    def heard(self) -> None:
        """Note a sound."""
        self.seconds = 0.0

    def look(self) -> float:
        """Return for how many seconds there has been no sound."""
        now = time.monotonic()
        self.seconds += min(now - self._looked_at, 2 * self._every_s)
        self._looked_at = now
        return self.seconds
