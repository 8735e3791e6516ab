"""How many replicas the gateway has: Serve's controller asks again and again.

Two policies of Serve's autoscaling. On a cluster there is one a node. On one machine their number
follows what they measure of themselves (see `replica_load`), by the rules of Kubernetes' Horizontal
Pod Autoscaler: so many that each has its target, nobody is trusted who says nothing, and what is
asked for has to be asked for a while.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from actors.runtime.placement import staying

MOST_NODES = 256
CPU_SHARE = 0.001
"""Of a replica: next to nothing, but a node that offers no CPU, as a head may, gets none."""

GROW_AFTER_S = 2.0
"""So long more replicas have to be wanted before they are started, which takes seconds of CPU."""
HEADROOM = 0.8
"""Of the target: fewer replicas have no more than this each, else one would come and go."""
STALE_S = 10.0
"""A replica whose measurements have not changed for so long has said nothing. They come every
second; Serve takes none that looks older than the last one, as after a clock was set back."""

Measured = Mapping[Any, float | None]
"""By replica, what each measures; None where that is not known."""


def one_a_node(_context: Any) -> tuple[int, dict[str, Any]]:
    """Return how many nodes offer CPUs and stay, and no state: an autoscaling policy of Serve's.

    A head that offers none has no replica, so that with a single worker there is one in all: until
    Ray has moved it, nothing is answered when that worker dies. Give such a head two workers.
    """
    fit = sum(node["Resources"].get("CPU", 0) > 0 for node in staying())
    return min(MOST_NODES, max(1, fit)), {}


def wanted(measured: Measured, count: int, target: float) -> int | None:
    """Return how many replicas should share what they measure; None where nothing is known.

    More than `count`, where each of so many would have more than `target`; fewer, where each would
    then have less than `HEADROOM` of it. A replica that says nothing counts as idle before there
    are more, and as having its target before there are fewer.
    """
    known = [value for value in measured.values() if value is not None]
    if not known:
        return None
    total = sum(known)
    if total > count * target:
        return math.ceil(total / target)
    total += (len(measured) - len(known)) * target
    return min(count, max(1, math.ceil(total / (target * HEADROOM))))


class FollowingLoad:
    """An autoscaling policy of Serve's: so many replicas that each has `target` of a `measure`.

    `measure` is a name of `replica_load`. There are more once more have been wanted for
    `GROW_AFTER_S`, and fewer once no more have been wanted for `shrink_after_s`. Serve keeps to the
    bounds. Its own delays count by the clock on the wall, which may be set.
    """

    def __init__(
        self,
        *,
        measure: str,
        target: float,
        shrink_after_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._measure, self._target = measure, target
        self._shrink_after_s, self._clock = shrink_after_s, clock
        self._wanted: deque[tuple[float, int]] = deque()
        self._fresh: dict[Any, tuple[object, float]] = {}

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """Return how many replicas there should be, and no state."""
        now, count = self._clock(), int(context.target_num_replicas)
        asked = wanted(self._measured(context, now), count, self._target)
        if not self._wanted:  # the controller has just begun: what there is was wanted so far
            self._wanted.append((now, count))
        self._wanted.append((now, count if asked is None else asked))
        return self._steady(now, count), {}

    def _steady(self, now: float, count: int) -> int:
        """Return what has been wanted for long enough."""
        longest = max(GROW_AFTER_S, self._shrink_after_s)
        while len(self._wanted) > 1 and self._wanted[1][0] <= now - longest:
            self._wanted.popleft()
        more = min(self._since(now - GROW_AFTER_S))
        return more if more > count else min(count, max(self._since(now - self._shrink_after_s)))

    def _since(self, begin: float) -> list[int]:
        """Return what was wanted at a time, where that is known, and what since then."""
        before = [asked for at, asked in self._wanted if at <= begin]
        return before[-1:] + [asked for at, asked in self._wanted if at > begin]

    def _measured(self, context: Any, now: float) -> Measured:
        series: Mapping[Any, Sequence[Any]] = (context.raw_metrics or {}).get(self._measure, {})
        replicas = list(context.running_replicas)
        self._fresh = {each: self._fresh[each] for each in replicas if each in self._fresh}
        return {each: self._mean(each, series.get(each, ()), now) for each in replicas}

    def _mean(self, replica: Any, points: Sequence[Any], now: float) -> float | None:
        if not points:
            return None
        last = points[-1].timestamp
        seen, since = self._fresh.get(replica, (None, now))
        self._fresh[replica] = (last, now if last != seen else since)
        if now - self._fresh[replica][1] > STALE_S:
            return None
        return sum(float(point.value) for point in points) / len(points)
