"""Config map: a setting is changed under load; how soon every process has it, and acts by it."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from cluster.headings.own_system import OwnSystem
from cluster.headings.record import Heading, Outcome, all_of, at_least, at_most
from cluster.headings.site import Site
from cluster.headings.target import Target
from cluster.headings.workloads import placed_paid_accepted

CONNECTIONS = 64
SECONDS = 60.0
LEAD_S = 2.0
MUST_S, AIM_S = 5.0, 1.0
ORIGIN = "https://live.example"
PREFLIGHTS = 40
"""Requests after each change; HAProxy spreads them over all replicas."""
CHANGES = (("set", "cors_origins", ORIGIN), ("unset", "cors_origins"))
FOLLOWED = re.compile(r"followed by all (\d+) processes after ([0-9.]+) s")


@dataclass
class _Seen:
    seconds: list[float] = field(default_factory=list)
    processes: int = 0
    wrong: list[str] = field(default_factory=list)


async def _measure(target: Target) -> AsyncIterator[Outcome]:
    site = await target.site()
    if isinstance(site, OwnSystem):
        yield await _measured(site, target)
        return
    async with target.own() as own:  # nobody's settings are changed but a throw-away system's
        yield await _measured(own, target)


async def _measured(site: Site, target: Target) -> Outcome:
    target.say(f"{CONNECTIONS} customers order, while a setting is changed and changed back")
    before = {process.pid for process in site.processes("ray::")}
    seconds = target.seconds(SECONDS)
    load = asyncio.create_task(site.load(placed_paid_accepted, CONNECTIONS, seconds))
    seen = _Seen()
    await asyncio.sleep(LEAD_S)
    while not load.done():
        for change in CHANGES:
            await _changed(site, change, seen)
    under_load = await load
    restarted = len(before - {process.pid for process in site.processes("ray::")})
    slowest = max(seen.seconds, default=float("nan"))
    return Outcome(
        f"{len(seen.seconds)} live changes of a setting, while {CONNECTIONS} connections order",
        f"seen by all {seen.processes} processes within {slowest:.1f} s at the most, and followed; "
        f"{restarted} restarts, {len(under_load.errors)} of {under_load.requests:,} orders failed",
        all_of(
            at_most(slowest, MUST_S, AIM_S),
            at_least(len(seen.seconds), len(CHANGES)),
            *(at_most(len(each), 0) for each in (seen.wrong, under_load.errors)),
            at_most(restarted, 0),
        ),
        {
            "slowest_s": slowest,
            "changes": len(seen.seconds),
            "processes": seen.processes,
            "not_acted_on": len(seen.wrong),
            "restarts": restarted,
            "failed": len(under_load.errors),
            "orders_a_second": under_load.rate,
        },
        [*seen.wrong, *under_load.errors],
    )


async def _changed(site: Site, change: tuple[str, ...], seen: _Seen) -> None:
    """Make one change by its command, and see that each replica acts by it from then on."""
    printed = await site.siren("config", *change)
    found = FOLLOWED.search(printed.out)
    if found is None:
        seen.wrong.append(printed.out + printed.err)
        return
    seen.processes, after = int(found[1]), float(found[2])
    seen.seconds.append(after)
    wanted = change[0] == "set"
    for _ in range(PREFLIGHTS):
        if await _lets_in(site) != wanted:
            seen.wrong.append(f"{' '.join(change)} was not acted on by a replica")


async def _lets_in(site: Site) -> bool:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    answer = await site.ask("OPTIONS", "/stores", **asked)
    return bool(answer.body == b"OK")


HEADING = Heading("live settings", "one variable", _measure, limit_s=300)
