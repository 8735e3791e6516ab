"""What a replica measures of itself, for whoever decides how many there are. Knows no Ray."""

import time
from collections.abc import Callable

IN_FLIGHT = "in_flight"
"""Requests that the replica works on. Streams and those who merely wait are none: each costs
little but memory, and another replica would not end its wait sooner."""
CPU = "cpu"
"""Percent of one core that its process has used since the last look."""

Clock = Callable[[], float]


class ReplicaLoad:
    """Measures one process; `in_flight` tells how many requests it works on."""

    def __init__(
        self,
        in_flight: Callable[[], int],
        clock: Clock = time.monotonic,
        cpu_clock: Clock = time.process_time,
    ) -> None:
        self._in_flight = in_flight
        self._clock, self._cpu_clock = clock, cpu_clock
        self._looked_at = clock(), cpu_clock()

    def measure(self) -> dict[str, float]:
        """Return `IN_FLIGHT` now, and `CPU` since the last call; none where no time passed."""
        now, used = self._clock(), self._cpu_clock()
        (before, used_before), self._looked_at = self._looked_at, (now, used)
        measured = {IN_FLIGHT: float(self._in_flight())}
        if now > before:
            measured[CPU] = 100 * (used - used_before) / (now - before)
        return measured
