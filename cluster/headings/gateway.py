"""Gateway: one address for orders and reads, which answers whatever comes as the contract says."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from itertools import cycle

from cluster.headings.load import Labelled, Request, http_request, percentile, run
from cluster.headings.record import Heading, Outcome, all_of, at_least, at_most
from cluster.headings.target import Target
from cluster.headings.workloads import order_details, placed, placed_paid_accepted

CONNECTIONS = 64
SECONDS = 10.0
WARM = 200
WARM_S = 5.0
BEST_RATE = 356
PROBLEM = b'"code":"'


def refusals() -> Iterator[Request]:
    """Return requests that are wrong, each with the status that it must get."""
    wrong = (
        (http_request("POST", "/orders", {"customer": {}}), 422),
        (http_request("POST", "/orders", ["no", "order"]), 422),
        (http_request("GET", "/orders/none"), 404),
        (http_request("GET", "/nowhere"), 404),
        (http_request("DELETE", "/orders"), 405),
        (http_request("POST", "/pickups/none/start"), 404),
    )
    return cycle(Labelled(data, status, PROBLEM) for data, status in wrong)


async def _measure(target: Target) -> AsyncIterator[Outcome]:
    site = await target.site()
    order_ids: list[str] = []
    await run(site.port, placed(WARM, order_ids.append), 16, WARM_S, token=site.token)
    for done, workload in (
        ("orders placed, paid and accepted", placed_paid_accepted),
        ("order details read", partial(order_details, order_ids)),
        ("wrong requests refused, each with its status and code", refusals),
    ):
        target.say(f"{done}, over {CONNECTIONS} connections")
        seen = await site.load(workload, CONNECTIONS, target.seconds(SECONDS))
        p99 = percentile(seen.latencies, 99)
        yield Outcome(
            f"{done}, over {CONNECTIONS} connections",
            f"{seen.rate:,.0f}/s, {len(seen.errors)} of {seen.requests:,} wrong, "
            f"p50 {percentile(seen.latencies, 50):.0f} ms, p99 {p99:.0f} ms",
            all_of(at_most(len(seen.errors), 0), at_least(seen.rate, BEST_RATE)),
            {"rate": seen.rate, "failed": len(seen.errors), "p99_ms": p99},
            seen.errors,
        )


HEADING = Heading("gateway", f"{BEST_RATE} requests/s", _measure, limit_s=300)
