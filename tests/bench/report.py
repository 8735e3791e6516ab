"""What a bench found: tables for the terminal, JSON for machines."""

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from cluster.headings import workloads
from cluster.headings.load import percentile
from tests.bench.head_of_line import SlowPayments
from tests.bench.measure import Figures, Lag

SHOWN_ERRORS = 5
COLUMNS = ("conn.", "req/s", "spread", "p50 ms", "p99 ms", "errors", "CPU ms", "MB", "generator")
FULL_RATE = 500.0
"""Requests a second from which on a generator's cost is told: below, it is mostly idle waiting."""


@dataclass
class Bench:
    """Everything that one run measured; what was not asked for is empty."""

    seconds: float
    rounds: int
    figures: list[Figures] = field(default_factory=list)
    slow: SlowPayments | None = None
    lag: Lag | None = None
    unmeasured: list[str] = field(default_factory=list)
    """Wrong answers while orders were placed for a workload to use."""

    @property
    def wrong(self) -> list[str]:
        """Return every wrong answer."""
        slow = [self.slow.beside, self.slow.without, self.slow.all_slow] if self.slow else []
        answers = [error for figures in [*self.figures, *slow] for error in figures.wrong]
        return self.unmeasured + answers + (self.lag.wrong if self.lag else [])


def figures_table(figures: Sequence[Figures], rounds: int) -> Table:
    """Return all workloads at all numbers of connections; below each mix, its kinds."""
    title = (
        f"medians of {rounds} rounds; CPU of all processes of the system a request, their "
        "memory, and the load generator's cores"
    )
    table = Table(title=title, box=box.SIMPLE_HEAD)
    table.add_column("workload", no_wrap=True)
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for before, now in zip([None, *figures], figures, strict=False):
        if before is not None and before.name != now.name:
            table.add_section()
        table.add_row(*_row(now))
        if len(now.kinds) > 1:
            for name, kind in now.kinds.items():
                table.add_row(f"  {name}", "", "", "", f"{kind.p50:.1f}", f"{kind.p99:.1f}")
    costs = [f.generator / f.rate * 1000 for f in figures if f.rate >= FULL_RATE]
    if costs:
        most = f"{max(costs):.2f} of a core per 1,000 requests/s"
        table.caption = f"Above {FULL_RATE:.0f} requests/s the load generator took at most {most}."
    return table


def _row(figures: Figures) -> tuple[str, ...]:
    return (
        figures.name,
        str(figures.connections),
        f"{figures.rate:,.0f}",
        f"{figures.slowest:,.0f}–{figures.fastest:,.0f}",
        f"{figures.p50:.1f}",
        f"{figures.p99:.1f}",
        str(len(figures.wrong)),
        f"{figures.cpu_ms:.2f}",
        f"{figures.memory_mb:,.0f}",
        f"{figures.generator:.2f}",
    )


def slow_table(slow: SlowPayments) -> Table:
    """Return what slow payments do to fast ones, and the rate when all take 300 ms."""
    table = Table(
        "payments", box=box.SIMPLE_HEAD, title="slow payments: orders placed, paid and accepted"
    )
    for column in ("connections", "orders/s", "fast orders", "fast p50 ms", "fast p99 ms"):
        table.add_column(column, justify="right")
    for figures in (slow.beside, slow.without):
        fast = figures.kinds[workloads.FAST]
        row = (f"{figures.rate:,.0f}", f"{fast.requests:,}", f"{fast.p50:.1f}", f"{fast.p99:.1f}")
        table.add_row(figures.name, str(figures.connections), *row)
    every = slow.all_slow
    table.add_row(every.name, str(every.connections), f"{every.rate:,.0f}")
    table.caption = (
        f"Fast ones' p99 beside slow ones (1.5 s): {slow.ratio:.2f} × without. "
        f"All slow: at most {slow.limit:.0f}/s are possible."
    )
    return table


def lag_line(lag: Lag) -> str:
    """Return the view's lag as a sentence."""
    return (
        f"The view shows an order {percentile(lag.lags, 50):.1f} ms (p50), "
        f"{percentile(lag.lags, 99):.1f} ms (p99) after its 201, at full W1 load; "
        f"{len(lag.lags)} orders. One read of the view itself takes "
        f"{percentile(lag.reads, 50):.1f} ms (p50), {percentile(lag.reads, 99):.1f} ms (p99) then."
    )


def write_json(path: Path, bench: Bench) -> None:
    """Write everything; a value that could not be measured is null."""
    content = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "seconds": bench.seconds,
        "rounds": bench.rounds,
        "figures": [_as_json(figures) for figures in bench.figures],
        "slow_payments": _slow_as_json(bench.slow) if bench.slow else None,
        "view_lag_ms": _lag_as_json(bench.lag) if bench.lag else None,
        "wrong_answers": len(bench.wrong),
    }
    path.write_text(json.dumps(_finite(content), indent=2) + "\n")


def _as_json(figures: Figures) -> dict[str, Any]:
    errors = {"errors": len(figures.wrong), "wrong": figures.wrong[:SHOWN_ERRORS]}
    return {**asdict(figures), **errors}


def _slow_as_json(slow: SlowPayments) -> dict[str, Any]:
    return {
        "beside_slow": _as_json(slow.beside),
        "none_slow": _as_json(slow.without),
        "all_slow": _as_json(slow.all_slow),
        "fast_p99_ratio": slow.ratio,
        "all_slow_limit": slow.limit,
    }


def _lag_as_json(lag: Lag) -> dict[str, float]:
    return {
        "orders": len(lag.lags),
        "p50": percentile(lag.lags, 50),
        "p99": percentile(lag.lags, 99),
        "read_p50": percentile(lag.reads, 50),
        "read_p99": percentile(lag.reads, 99),
    }


def _finite(value: Any) -> Any:
    """Return the value with null for NaN, which JSON does not have."""
    match value:
        case dict():
            return {name: _finite(inner) for name, inner in value.items()}
        case list():
            return [_finite(inner) for inner in value]
        case float() if not math.isfinite(value):
            return None
    return value
