"""What the disk allows: its fsync latency, and the bare group-commit rate of the journal.

Runs in a process of its own, on an empty folder, and prints JSON.
"""

import argparse
import asyncio
import json
import os
import statistics
import time
from pathlib import Path
from uuid import uuid4

from actors.order.domain.events import Event, StoredEvent
from actors.order.journal import Journal
from actors.order.journal_appends import Append
from cluster.headings.load import percentile
from tests.support.orders import DUE, NOON, PLACED, PRIVATE, REQUESTED

GROUPS = (1, 16, 64, 256)
BLOCK = b"\0" * 4096
SYNCS = 300

FACTS: tuple[Event, ...] = (PLACED, REQUESTED)


def main() -> None:
    """Print `fsync_ms` (p50 and p99) and `journal`: appends of two events a second by group."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="for each size of group")
    given = parser.parse_args()
    journal = asyncio.run(journal_rates(given.folder, given.seconds))
    print(json.dumps({"fsync_ms": fsync_ms(given.folder), "journal": journal}))


def fsync_ms(folder: Path) -> dict[str, float]:
    """Write 4 KiB to the end of a file and wait for the disk, again and again."""
    latencies = []
    with (folder / "synced").open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            file.write(BLOCK)
            os.fdatasync(file.fileno())
            latencies.append((time.perf_counter() - began) * 1000)
    return {"p50": statistics.median(latencies), "p99": percentile(latencies, 99)}


async def journal_rates(folder: Path, seconds: float) -> dict[str, float]:
    """Return how many appends a second are durable where so many wait for each commit."""
    journal = Journal(f"sqlite+aiosqlite:///{folder}/journal.db")
    await journal.create()
    try:
        await _appends_a_second(journal, GROUPS[-1], seconds / 4)  # warm
        return {str(group): await _appends_a_second(journal, group, seconds) for group in GROUPS}
    finally:
        await journal.close()


async def _appends_a_second(journal: Journal, group: int, seconds: float) -> float:
    done, spent = 0, 0.0
    while spent < seconds:
        appends = [_placement() for _ in range(group)]
        began = time.perf_counter()
        await asyncio.gather(*(journal.append(append) for append in appends))
        spent += time.perf_counter() - began
        done += group
    return done / spent


def _placement() -> Append:
    """Return what placing an order with payment appends."""
    order_id = uuid4().hex
    events = tuple(
        StoredEvent(order_id, version, event, NOON, "place")
        for version, event in enumerate(FACTS, start=1)
    )
    return Append(order_id, 0, events, due_at=DUE, private=PRIVATE)


if __name__ == "__main__":
    main()
