"""What this process counts for operators, as plain numbers; `metrics_export` hands them to Ray.

Counting takes less than a microsecond and never waits. Labels are few and known: no id, no name,
no path.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Gauge

from actors.contracts.errors import Unavailable
from actors.runtime.counting import Count, Histogram, Spread

REGISTRY = CollectorRegistry()
"""All that this process counts. Not prometheus_client's own, which also watches the process."""
COMMIT_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
SIZE_BUCKETS = (1, 2, 4, 8, 16, 24, 32, 64, 128, 256)
COUNTING: tuple[tuple[type, str], ...] = ((Count, "inc"), (Gauge, "set"), (Spread, "observe"))
"""What counts."""
LOOK_S = 10.0
"""How often is looked at what is not counted as it happens."""

logger = logging.getLogger("siren")

BUILD = Gauge("siren_build_info", "1 for each process that lives.", ["version"], registry=REGISTRY)
COMMIT_DURATION = Histogram(
    "siren_commit_duration_seconds",
    "Time from the begin of a group commit until it is on disk, or has failed.",
    ["service"],
    COMMIT_BUCKETS,
    REGISTRY,
)
COMMIT_SIZE = Histogram(
    "siren_commit_size",
    "What was committed together: appends, payments, messages to the store, events.",
    ["service"],
    SIZE_BUCKETS,
    REGISTRY,
)

BUILD.labels(version("siren-order")).set(1)


def count_nothing() -> None:
    """Let this process count nothing from now on."""
    for kind, method in COUNTING:
        setattr(kind, method, lambda *_: None)


async def measure_for_ever(look: Callable[[], Awaitable[None]]) -> None:
    """Call `look` now and then; where it fails, what it measures stays as it was."""
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            with suppress(Unavailable):  # which is told where it is met first
                await look()
        except Exception:
            logger.exception("metrics cannot be measured")
