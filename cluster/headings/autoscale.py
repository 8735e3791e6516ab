"""Autoscale: replicas of the gateway come under a siege of writes, and go when it is over."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from actors.contracts.errors import SirenError
from cluster.headings.load import Request, Result
from cluster.headings.own_system import OwnSystem
from cluster.headings.record import Heading, Outcome, all_of, at_least, at_most
from cluster.headings.streams import Follower, followed
from cluster.headings.target import Target
from cluster.headings.workloads import REFUNDED, placed_paid_accepted
from cluster.running.haproxy_sections import sections, servers
from cluster.running.haproxy_wrapper import LAST_GOOD

MOST = 3
CPU = 20
"""Percent of a core, the rule of the original."""
WRITES = 50_000
CONNECTIONS = 64
LONGEST_S = 600.0
STREAMS = 60
SHRINK_AFTER_S = 10.0
THIRD_MUST_S, THIRD_AIM_S = 20.0, 15.0
PACE_S = 0.05
"""Between two orders while there are to be fewer: too few for anybody's 20 percent."""
SETTLE_S = 120.0
LOOK_S = 0.25


@dataclass
class Replicas:
    """How many replicas HAProxy knew, and since when, in seconds since `began`."""

    system: OwnSystem
    began: float = field(default_factory=time.monotonic)
    counts: list[tuple[float, int]] = field(default_factory=list)

    def now(self) -> int:
        """Return how many replicas HAProxy sends requests to."""
        config = next(Path(self.system.holder["run"]).glob(f"*/{LAST_GOOD}")).read_text()
        return max(
            sum("backup" not in options for _, _, options in servers(part))
            for part in sections(config)
            if part.head.startswith("backend ")
        )

    async def watch(self) -> None:
        """Note each change."""
        while True:
            with suppress(OSError, StopIteration, SirenError):
                count = self.now()
                if not self.counts or self.counts[-1][1] != count:
                    self.counts.append((time.monotonic() - self.began, count))
            await asyncio.sleep(LOOK_S)

    def seconds_to(self, count: int) -> float:
        """Return after how many seconds there were so many; NaN where there never were."""
        return next((at for at, seen in self.counts if seen >= count), float("nan"))

    def told(self) -> str:
        """Return the changes in words."""
        return ", ".join(f"{count} at {at:.1f} s" for at, count in self.counts)

    async def reached(self, count: int) -> bool:
        """Wait for so many; return whether it came to that."""
        for _ in range(int(SETTLE_S / LOOK_S)):
            if self.counts and self.counts[-1][1] == count:
                return True
            await asyncio.sleep(LOOK_S)
        return False


@asynccontextmanager
async def _watched(system: OwnSystem) -> AsyncIterator[Replicas]:
    replicas = Replicas(system)
    watching = asyncio.create_task(replicas.watch())
    try:
        yield replicas
    finally:
        watching.cancel()


def _writes(most: int) -> Iterator[Request]:
    return itertools.islice(placed_paid_accepted(), most)


def _paced() -> Iterator[Request]:
    """Orders, one after the other: whoever makes them has nothing else to do meanwhile."""
    for request in placed_paid_accepted():
        time.sleep(PACE_S)
        yield request


async def _orders(system: OwnSystem, count: int) -> list[str]:
    """Place orders, which somebody follows, and return their ids."""
    placed = await system.load(partial(_writes, count), 1, LONGEST_S)
    assert not placed.errors, placed.errors
    rows = system.sql("readmodel", "SELECT order_id FROM order_detail LIMIT ?", count)
    return [row["order_id"] for row in rows]


async def _canceled(system: OwnSystem, order_ids: list[str], over_s: float) -> None:
    """Cancel orders, spread over some seconds: some of them while their stream is elsewhere."""
    for order_id in order_ids:
        await asyncio.sleep(over_s / len(order_ids))
        await system.ask("POST", f"/orders/{order_id}/cancel")


async def _measure(target: Target) -> AsyncIterator[Outcome]:
    async with target.own(
        gateway_min_replicas=1,
        gateway_max_replicas=MOST,
        gateway_autoscale="cpu",
        gateway_target_cpu=CPU,
        gateway_shrink_after_s=SHRINK_AFTER_S,
    ) as system:
        async with _watched(system) as before:
            await before.reached(1)
        order_ids = await _orders(system, STREAMS)
        first, later = order_ids[::2], order_ids[1::2]
        writes = target.requests(WRITES)
        target.say(f"{writes:,} orders over {CONNECTIONS} connections, beside {STREAMS} streams")
        async with followed(system, first, REFUNDED) as some, _watched(system) as growing:
            seen = await system.load(partial(_writes, writes), CONNECTIONS, LONGEST_S)
            yield _grown(growing, seen, writes)
            async with followed(system, later, REFUNDED) as others, _watched(system) as shrinking:
                target.say("few orders, until one replica is left")
                async for outcome in _shrunk(system, shrinking, order_ids, [*some, *others]):
                    yield outcome


def _grown(replicas: Replicas, seen: Result, writes: int) -> Outcome:
    third, failed = replicas.seconds_to(MOST), writes - seen.requests + len(seen.errors)
    return Outcome(
        f"1 → {MOST} replicas by CPU over {CPU} %, {writes:,} orders, {CONNECTIONS} connections",
        f"third replica after {third:.1f} s, {failed} of {writes:,} failed, {seen.rate:,.0f}/s "
        f"(replicas: {replicas.told()})",
        all_of(at_most(failed, 0), at_most(third, THIRD_MUST_S, THIRD_AIM_S)),
        {"third_replica_s": third, "failed": failed, "writes": writes, "rate": seen.rate},
        seen.errors,
    )


async def _shrunk(
    system: OwnSystem,
    replicas: Replicas,
    order_ids: list[str],
    following: list[tuple[Follower, asyncio.Task[None]]],
) -> AsyncIterator[Outcome]:
    writing = asyncio.create_task(system.load(_paced, CONNECTIONS // 4, 4 * SHRINK_AFTER_S))
    await asyncio.gather(replicas.reached(1), _canceled(system, order_ids, 3 * SHRINK_AFTER_S))
    seen = await writing
    await asyncio.wait([task for _, task in following], timeout=SHRINK_AFTER_S)
    followers = [follower for follower, _ in following]
    whole = sum(task.done() for _, task in following)
    ended, cut = (sum(getattr(each, name) for each in followers) for name in ("ended", "cut"))
    problems = [*seen.errors, *(problem for each in followers for problem in each.problems)]
    failed, left, most = len(seen.errors), replicas.counts[-1][1], replicas.counts[0][1]
    yield Outcome(
        f"{MOST} → 1 replicas, {seen.requests:,} orders meanwhile, {len(followers)} streams",
        f"{failed} orders failed; {whole} streams saw the end of their order, after {ended} were "
        f"ended and {cut} cut off (replicas: {replicas.told()})",
        all_of(
            at_most(len(problems), 0),
            at_least(whole, len(followers)),
            at_most(cut, 0),
            at_least(most, MOST),  # else nothing was lost because nothing had come
            at_most(left, 1),
        ),
        {"failed": failed, "streams": whole, "ended": ended, "cut": cut, "replicas": left},
        problems,
    )


HEADING = Heading(
    "autoscale",
    f"CPU {CPU} %, third replica after 30 s, 100 % of requests, 356/s",
    _measure,
    limit_s=900,
)
