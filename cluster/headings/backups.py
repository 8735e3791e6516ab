"""Backup and restore: taken twice while customers order, restored elsewhere, and audited there."""

import asyncio
import re
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

from actors.contracts.errors import SirenError
from cluster.headings.load import Result, percentile
from cluster.headings.own_system import OwnSystem
from cluster.headings.record import Heading, Outcome, all_of, at_least, at_most
from cluster.headings.site import Printed
from cluster.headings.target import Target
from cluster.headings.workloads import PLACE, placed_paid_accepted

CONNECTIONS = 64
SECONDS = 30.0
SOONER = 0.3
"""How much of a load has gone by when a backup begins, as a share."""
MILLION = 1_000_000
AIM_S = 60.0
"""Of a million events, backup and restore together."""


async def _measure(target: Target) -> AsyncIterator[Outcome]:
    async with target.own() as system:
        folder = system.folder.parent / "backup"
        seconds = target.seconds(SECONDS)
        target.say(f"{CONNECTIONS} customers order")
        alone = await system.load(placed_paid_accepted, CONNECTIONS, seconds)
        target.say("they order on, and a backup is taken; then another into the same folder")
        loads, backups = [], []
        for _ in range(2):
            seen, taken, known = await _backed_up(system, folder, seconds)
            loads.append(seen)
            backups.append(taken)
        target.say("restoring into another folder, and auditing that")
        restored = system.folder.parent / "restored"
        began = time.monotonic()
        back = await _succeeded(system, "restore", str(folder), "--data", str(restored))
        restore_s = time.monotonic() - began
        audit = await system.siren("verify", "--data", str(restored))
        events, missing = _compared(restored, known)
        wrong = [error for seen in loads for error in seen.errors]
        yield Outcome(
            f"two backups while {CONNECTIONS} customers order",
            f"{events:,} events; {_seconds(backups[0]):.1f} s, then {_seconds(backups[1]):.1f} s; "
            f"{alone.rate:,.0f} orders/s before, {loads[0].rate:,.0f} and {loads[1].rate:,.0f} "
            f"meanwhile, p99 {_p99(alone):.0f}, then {max(map(_p99, loads)):.0f} ms",
            at_most(len(wrong), 0),
            {
                "events": events,
                "backup_s": _seconds(backups[0]),
                "second_backup_s": _seconds(backups[1]),
                "rate_alone": alone.rate,
                "rate_meanwhile": loads[0].rate,
                "rate_meanwhile_second": loads[1].rate,
                "failed": len(wrong),
            },
            wrong,
        )
        per_million = (_seconds(backups[0]) + restore_s) * MILLION / max(events, 1)
        yield Outcome(
            "restored into another folder, and audited there",
            f"{len(missing)} of {len(known):,} orders missing that were there when the backup "
            f"began; {audit.out.strip().splitlines()[-1]}; {restore_s:.1f} s",
            all_of(
                at_most(len(missing), 0),
                at_most(audit.code, 0),
                at_least(events, 1),
                at_most(per_million, float("inf"), AIM_S),
            ),
            {"missing": len(missing), "exit_code": audit.code, "restore_s": restore_s},
            [*back.err.splitlines(), *sorted(missing)] if missing or audit.code else (),
        )


async def _backed_up(
    system: OwnSystem, folder: Path, seconds: float
) -> tuple[Result, Printed, set[str]]:
    """Load the system, and take a backup meanwhile; return the orders that were there before."""

    async def take() -> tuple[Printed, set[str]]:
        await asyncio.sleep(seconds * SOONER)
        rows = system.sql("journal", "SELECT order_id FROM events WHERE version = 1")
        return await _succeeded(system, "backup", str(folder)), {row[0] for row in rows}

    load = system.load(placed_paid_accepted, CONNECTIONS, seconds)
    seen, (taken, known) = await asyncio.gather(load, take())
    return seen, taken, known


async def _succeeded(system: OwnSystem, *command: str) -> Printed:
    printed = await system.siren(*command)
    if printed.code:
        raise SirenError("command_failed", f"siren {command[0]}: {printed.err.strip()}")
    return printed


def _seconds(taken: Printed) -> float:
    """Return how long a backup says that it took."""
    found = re.search(r"in ([0-9.]+) s", taken.out)
    return float(found[1]) if found else float("nan")


def _p99(seen: Result) -> float:
    return percentile(seen.by_kind.get(PLACE) or seen.latencies, 99)


def _compared(folder: Path, known: set[str]) -> tuple[int, set[str]]:
    """Return how many events a restored journal has, and which of the known orders it has not."""
    with closing(sqlite3.connect(f"file:{folder}/journal.db?mode=ro", uri=True)) as database:
        events = database.execute("SELECT count(*) FROM events").fetchone()[0]
        orders = {row[0] for row in database.execute("SELECT DISTINCT order_id FROM events")}
    return events, known - orders


HEADING = Heading("backup", "", _measure, limit_s=600)
