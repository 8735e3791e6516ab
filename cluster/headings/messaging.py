"""Messaging between services: whatever is lost, or comes twice, is done once."""

import re
from collections.abc import AsyncIterator, Iterator
from itertools import cycle

from cluster.headings.load import Request, percentile
from cluster.headings.own_system import OwnSystem
from cluster.headings.record import Heading, Outcome, all_of, at_least, at_most
from cluster.headings.target import Target
from cluster.headings.workloads import placed_paid_accepted

CONNECTIONS = 64
SECONDS = 10.0
TOKENS = ("tok_approve", "tok_lost_reply", "tok_flaky", "tok_approve")
"""Half of the charges lose their first answers: they are asked for again."""
AUDITED = re.compile(r"audited (\d+) orders, .* (\d+) charges, (\d+) tickets")


def with_lost_replies() -> Iterator[Request]:
    """Orders, of which every second one's charge has to be asked for more than once."""
    streams = cycle([placed_paid_accepted(token, Prefer="wait=20") for token in TOKENS])
    return (next(stream) for stream in streams)


async def _measure(target: Target) -> AsyncIterator[Outcome]:
    async with target.own() as system:
        target.say("half of all answers of the payment provider are lost at first")
        seen = await system.load(with_lost_replies, CONNECTIONS, target.seconds(SECONDS))
        orders, charges, tickets, clean = await _audited(system)
        once = orders == charges == tickets
        yield Outcome(
            f"orders over {CONNECTIONS} connections, half of the charges' first answers lost",
            f"{orders:,} orders, {charges:,} charges, {tickets:,} tickets; {len(seen.errors)} not "
            f"accepted; {seen.rate:,.0f}/s, p99 {percentile(seen.latencies, 99):.0f} ms",
            all_of(at_most(len(seen.errors), 0), at_least(once and clean, 1), at_least(orders, 1)),
            {"orders": orders, "charges": charges, "tickets": tickets, "rate": seen.rate},
            seen.errors,
        )


async def _audited(system: OwnSystem) -> tuple[int, int, int, bool]:
    """Return how many orders, charges and tickets there are, and whether all agree."""
    audit = await system.siren("verify")
    found = AUDITED.search(" ".join(audit.out.split()))
    orders, charges, tickets = map(int, found.groups()) if found else (0, 0, 0)
    return orders, charges, tickets, audit.code == 0


HEADING = Heading("messaging", "shown, no figure", _measure, limit_s=300)
