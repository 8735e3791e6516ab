"""`make bench`: starts the system on an empty folder, loads it over HTTP, and prints figures.

Nothing here passes or fails on speed; a wrong answer does fail.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from tests.load import workloads
from tests.load.http_load import Request, Result, run_in_own_process
from tests.system import System

CONNECTIONS = (1, 16, 64)
ROUNDS = 3
SECONDS = 5.0
WARM_UP_S = 3.0
SLOW_CONNECTIONS = 8

console = Console()


def main() -> None:
    """Run all workloads and print their tables; exit 1 where an answer was wrong."""
    with tempfile.TemporaryDirectory(prefix="siren-bench-", dir=Path.cwd()) as folder:
        system = System(Path(folder) / "data")
        console.print(f"ready after {system.start():.1f} s")
        try:
            run_in_own_process(system.port, workloads.placed_paid_accepted, 16, WARM_UP_S)
            wrong = _throughput(system) + _head_of_line(system)
        finally:
            system.stop()
    if wrong:
        console.print(f"[red]{len(wrong)} wrong answers, the first:[/red] {wrong[0]}")
        sys.exit(1)


def _throughput(system: System) -> list[str]:
    table = Table(title="orders placed, paid and accepted (medians of 3 rounds)")
    for column in ("connections", "orders/s", "spread", "p50 ms", "p99 ms", "CPU ms/order"):
        table.add_column(column, justify="right")
    wrong: list[str] = []
    for connections in CONNECTIONS:
        rates, halves, tails, cpu = [], [], [], []
        for _ in range(ROUNDS):
            result, cpu_s = _measured(system, workloads.placed_paid_accepted, connections)
            wrong += result.errors
            rates.append(result.requests / result.seconds)
            halves.append(percentile(result.latencies, 50))
            tails.append(percentile(result.latencies, 99))
            cpu.append(cpu_s * 1000 / max(1, result.requests))
        table.add_row(
            str(connections),
            f"{statistics.median(rates):,.0f}",
            f"{min(rates):,.0f}–{max(rates):,.0f}",
            *(f"{statistics.median(values):.1f}" for values in (halves, tails)),
            f"{statistics.median(cpu):.2f}",
        )
    console.print(table)
    return wrong


def _head_of_line(system: System) -> list[str]:
    title = (
        f"fast payments, {SLOW_CONNECTIONS} connections, 1 in {workloads.SLOW_EVERY} takes 1.5 s"
    )
    table = Table("slow payments", "fast orders", "p50 ms", "p98 ms", title=title)
    wrong: list[str] = []
    for label, workload in (
        ("none", workloads.without_slow_payments),
        ("1 in 41", workloads.with_slow_payments),
    ):
        result, _ = _measured(system, workload, SLOW_CONNECTIONS)
        wrong += result.errors
        fast = [latency for latency in result.latencies if latency < workloads.SLOW_MS]
        table.add_row(
            label, str(len(fast)), f"{percentile(fast, 50):.1f}", f"{percentile(fast, 98):.1f}"
        )
    console.print(table)
    return wrong


def _measured(
    system: System, workload: Callable[[], Iterator[Request]], connections: int
) -> tuple[Result, float]:
    """Return a run's result, and the CPU seconds that the system's processes spent on it."""
    before = _cpu_seconds(system.processes())
    result = run_in_own_process(system.port, workload, connections, SECONDS)
    after = _cpu_seconds(system.processes())
    return result, sum(after.values()) - sum(before.values())


def _cpu_seconds(processes: list[psutil.Process]) -> dict[int, float]:
    spent = {}
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        spent[process.pid] = times.user + times.system
    return spent


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile of at least two values."""
    return statistics.quantiles(values, n=100)[percent - 1]


if __name__ == "__main__":
    main()
