"""Saga: orders go through payment and store, and each is undone again by its compensations."""

from collections.abc import AsyncIterator

from cluster.headings.load import percentile
from cluster.headings.record import Heading, Outcome, all_of, at_least, at_most
from cluster.headings.target import Target
from cluster.headings.workloads import CANCEL, PLACE, placed_then_canceled

CONNECTIONS = 64
SECONDS = 10.0


async def _measure(target: Target) -> AsyncIterator[Outcome]:
    site = await target.site()
    target.say(f"{CONNECTIONS} customers order, pay, and cancel")
    seen = await site.load(placed_then_canceled, CONNECTIONS, target.seconds(SECONDS))
    canceled, wrong = seen.by_kind[CANCEL], len(seen.errors)
    yield Outcome(
        f"order, pay, accept, then cancel, over {CONNECTIONS} connections",
        f"{len(canceled):,} of {len(canceled) + wrong:,} refunded and taken off the board, "
        f"p99 {percentile(canceled, 99):.0f} ms",
        all_of(at_most(wrong, 0), at_least(len(canceled), 1)),
        {
            "compensated": len(canceled),
            "failed": wrong,
            "place_p99_ms": percentile(seen.by_kind[PLACE], 99),
            "cancel_p99_ms": percentile(canceled, 99),
        },
        seen.errors,
    )
    target.say("auditing all books against each other")
    audit = await site.siren("verify")
    yield Outcome(
        "`siren verify`: journal, payments, charges, tickets and view agree",
        audit.out.strip().splitlines()[-1] if audit.out.strip() else audit.err.strip(),
        at_most(audit.code, 0),
        {"exit_code": audit.code},
        audit.out.splitlines() if audit.code else (),
    )


HEADING = Heading("saga", "", _measure, limit_s=300)
