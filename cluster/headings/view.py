"""CQRS: how far the view, which is read, is behind the journal, which is written."""

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import count

from cluster.headings.load import percentile, run
from cluster.headings.record import Heading, Outcome, all_of, at_most
from cluster.headings.site import Site
from cluster.headings.target import Target
from cluster.headings.workloads import placed, placed_paid_accepted

CONNECTIONS = 16
SECONDS = 10.0
PAUSE_S = 0.05
POLL_S = 0.005
FOUND = 200
GONE_S = 30.0
"""An order that the view does not show for so long never comes into it."""


async def _measure(target: Target) -> AsyncIterator[Outcome]:
    site = await target.site()
    target.say("reading orders from the view as soon as they are placed")
    load = asyncio.create_task(
        site.load(placed_paid_accepted, CONNECTIONS, target.seconds(SECONDS))
    )
    lags: list[float] = []
    while not load.done():
        lags.append(await _lag_ms(site))
        await asyncio.sleep(PAUSE_S)
    seen = await load
    p99 = percentile(lags, 99)
    yield Outcome(
        f"an order read from the view, from its 201 on, while {CONNECTIONS} connections order",
        f"there after {percentile(lags, 50):.0f} ms (p99 {p99:.0f} ms), "
        f"{len(lags)} looked at beside {seen.rate:,.0f} orders/s",
        all_of(at_most(p99, 2000, 500), at_most(len(seen.errors), 0)),
        {"lag_p50_ms": percentile(lags, 50), "lag_p99_ms": p99, "orders": len(lags)},
        seen.errors,
    )


async def _lag_ms(site: Site) -> float:
    """Place an order, and return how long after its answer the view shows it."""
    order_ids: list[str] = []
    await run(site.port, placed(1, order_ids.append), 1, GONE_S, lead=0, token=site.token)
    began = time.perf_counter()
    async with asyncio.timeout(GONE_S):
        for _ in count():
            if (await site.ask("GET", f"/order-details/{order_ids[0]}")).status == FOUND:
                break
            await asyncio.sleep(POLL_S)
    return (time.perf_counter() - began) * 1000


HEADING = Heading("CQRS view", "shown, no figure", _measure, limit_s=240)
