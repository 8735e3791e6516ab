"""Persistent volume: all processes die at once, and every acknowledged order is there again."""

import time
from collections.abc import AsyncIterator

from cluster.headings.load import run
from cluster.headings.record import Heading, Outcome, all_of, at_most
from cluster.headings.target import Target
from cluster.headings.workloads import placed

ORDERS = 5_000
CONNECTIONS = 64
WITHIN_S = 120.0


async def _measure(target: Target) -> AsyncIterator[Outcome]:
    async with target.own() as system:
        count = target.requests(ORDERS)
        target.say(f"placing {count:,} orders")
        order_ids: list[str] = []
        await run(system.port, placed(count, order_ids.append), CONNECTIONS, WITHIN_S, lead=0)
        target.say("killing everything at once, and starting again on the same folder")
        system.kill_all()
        began = time.monotonic()
        await system.start()
        seconds = time.monotonic() - began
        rows = system.sql("journal", "SELECT order_id FROM order_keys")
        lost = set(order_ids) - {row[0] for row in rows}
        audit = await system.siren("verify")
        yield Outcome(
            f"{len(order_ids):,} orders acknowledged, kill -9 of every process, and a new start",
            f"{len(lost)} lost, ready after {seconds:.0f} s, `siren verify`: "
            f"{(audit.out or audit.err).strip().rpartition(chr(10))[2]}",
            all_of(at_most(len(lost), 0), at_most(audit.code, 0), at_most(-len(order_ids), -1)),
            {"orders": len(order_ids), "lost": len(lost), "ready_s": seconds},
            audit.out.splitlines() if audit.code else (),
        )


HEADING = Heading("persistent volume", "", _measure, limit_s=400)
