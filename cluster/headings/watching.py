"""Watching: what metrics and JSON logs cost an order."""

import statistics
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from cluster.headings.load import Result
from cluster.headings.own_system import OwnSystem, own_system
from cluster.headings.record import Heading, Outcome, all_of, at_least, at_most
from cluster.headings.target import Target
from cluster.headings.workloads import placed_paid_accepted

CONNECTIONS = 64
SECONDS = 1.5
ROUNDS, ROUNDS_QUICK = 41, 7
"""Many and short: one differs from the next by a tenth, and what is looked for is a few percent."""
MUST, AIM = 5.0, 2.0
WATCHED = {"log_format": "json"}
UNWATCHED = {"metrics": "off"}


async def _measure(target: Target) -> AsyncIterator[Outcome]:
    """Load two systems that run beside each other in turns: the machine's drift hits both."""
    async with target.own(**WATCHED) as watched, AsyncExitStack() as stack:
        unwatched = await stack.enter_async_context(own_system(**UNWATCHED))
        rounds = ROUNDS_QUICK if target.quick else ROUNDS
        ratios, errors = [], []
        for number in range(rounds):
            target.say(f"round {number + 1} of {rounds}: {CONNECTIONS} customers order at each")
            # Who comes first takes turns, too: the disk is still busy with what was before.
            order = (watched, unwatched) if number % 2 else (unwatched, watched)
            seen = {system: await _load(system) for system in order}
            ratios.append(seen[watched].rate / seen[unwatched].rate)
            errors += [error for each in seen.values() for error in each.errors]
    cost = max(0.0, 100 * (1 - statistics.median(ratios)))
    yield Outcome(
        f"metrics and JSON logs on, over {CONNECTIONS} connections, beside neither",
        f"{cost:.1f} % fewer orders (medians of {rounds} rounds: "
        f"{100 * (1 - max(ratios)):.0f} to {100 * (1 - min(ratios)):.0f} %)",
        all_of(at_most(cost, MUST, AIM), at_most(len(errors), 0), at_least(len(ratios), 1)),
        {"cost_percent": cost, "failed": len(errors)},
        tuple(errors),
    )


async def _load(system: OwnSystem) -> Result:
    return await system.load(placed_paid_accepted, CONNECTIONS, SECONDS)


HEADING = Heading("watching", "", _measure, limit_s=600)
