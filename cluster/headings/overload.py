"""Overload: four times what the system can take, and clients of whom one could starve others."""

import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

import psutil

from cluster.headings.bystanders import beside_hogs
from cluster.headings.flood import Flood, flood_in_own_process
from cluster.headings.load import percentile
from cluster.headings.own_system import OwnSystem
from cluster.headings.record import Heading, Outcome, all_of, at_least, at_most
from cluster.headings.site import Site
from cluster.headings.target import Target
from cluster.headings.workloads import placed_paid_accepted

CONNECTIONS = 64
PEAK_S = 30.0
PASSIVATE_AFTER_S = 5
"""Orders that nobody works on leave memory after so long. With a minute, and other caches empty as
they are at first, memory would grow for what was accepted, and not for what was too much."""
TIMES = 4
SECONDS = 30.0
PATIENCE_S = 1.0
"""After so long those leave who do not wait."""
GOODPUT = 0.8
"""Of the peak."""
P99_MUST_MS, P99_AIM_MS = 4000.0, 2000.0
GROWN_MUST_MB = 100.0
NORMAL_S = 10.0
PROBE_S = 5.0
MB = 1024**2


@dataclass(frozen=True)
class Grown:
    """What processes had before and after; a replica more is as many as settings let there be."""

    before: dict[int, int]
    after: dict[int, int]

    @property
    def mb(self) -> float:
        """Return what those have more that were there before."""
        both = self.before.keys() & self.after.keys()
        return sum(self.after[pid] - self.before[pid] for pid in both) / MB

    @property
    def new(self) -> int:
        """Return how many have come."""
        return len(self.after.keys() - self.before.keys())


async def _measure(target: Target) -> AsyncIterator[Outcome]:
    async with target.own(passivate_after_s=PASSIVATE_AFTER_S) as system:
        target.say(f"what it can take: {CONNECTIONS} connections")
        peak = (await system.load(placed_paid_accepted, CONNECTIONS, target.seconds(PEAK_S))).rate
        for who, patience in (
            ("who wait", None),
            (f"who leave after {PATIENCE_S:.0f} s", PATIENCE_S),
        ):
            target.say(f"{TIMES} times {peak:,.0f} orders/s, from customers {who}")
            async for outcome in _flooded(target, system, peak, who, patience):
                yield outcome
    async with target.own(auth="required") as system:
        async for outcome in beside_hogs(target, system):
            yield outcome


async def _flooded(
    target: Target, system: OwnSystem, peak: float, who: str, patience: float | None
) -> AsyncIterator[Outcome]:
    before = _memory(system)
    seconds = target.seconds(SECONDS)
    seen = await flood_in_own_process(
        system.port, placed_paid_accepted, TIMES * peak, seconds, patience=patience
    )
    ended = time.monotonic()
    yield _of_flood(seen, peak, who, Grown(before, _memory(system)))
    probe = await _again_normal(system, peak, ended)
    yield Outcome(
        f"and {NORMAL_S:.0f} s later at the latest",
        f"{probe[0]:,.0f} orders/s again after {probe[1]:.1f} s",
        all_of(at_most(probe[1], NORMAL_S), at_least(probe[0], GOODPUT * peak)),
        {"rate": probe[0], "normal_s": probe[1]},
    )


def _of_flood(seen: Flood, peak: float, who: str, grown: Grown) -> Outcome:
    share, p99 = seen.goodput / peak, percentile(seen.took, 99)
    return Outcome(
        f"{seen.offered:,.0f} orders/s wanted, of customers {who}, where {peak:,.0f} can be taken",
        f"{seen.goodput:,.0f}/s accepted in time, {share:.0%} of the peak, p99 {p99:,.0f} ms; "
        f"{seen.refused:,} told to come again, {seen.left:,} left, {len(seen.wrong)} wrong; "
        f"{grown.mb:+.0f} MB, and {grown.new} more processes",
        all_of(
            at_least(share, GOODPUT),
            at_most(p99, P99_MUST_MS, P99_AIM_MS),
            at_most(len(seen.wrong) + seen.impolite, 0),
            at_most(grown.mb, GROWN_MUST_MB),
        ),
        {
            "peak": peak,
            "goodput": seen.goodput,
            "p99_ms": p99,
            "grown_mb": grown.mb,
            "new_processes": grown.new,
        },
        seen.wrong,
    )


async def _again_normal(system: OwnSystem, peak: float, ended: float) -> tuple[float, float]:
    """Return the rate of a crowd that is as large as before, and after how long it was there."""
    while True:
        probe = await system.load(placed_paid_accepted, CONNECTIONS, PROBE_S)
        since = time.monotonic() - ended - PROBE_S
        if (not probe.errors and probe.rate >= GOODPUT * peak) or since > NORMAL_S:
            return probe.rate, since


def _memory(system: Site) -> dict[int, int]:
    """Return what each of its processes has for itself alone, in bytes."""
    taken = {}
    for process in system.processes():
        with suppress(psutil.Error):
            taken[process.pid] = process.memory_full_info().uss
    return taken


HEADING = Heading("overload", "", _measure, limit_s=900)
