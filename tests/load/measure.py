"""Rounds of one workload against one server: medians, spread, CPU and memory."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil

from tests.load.http_load import Request, run_in_own_process

ROUNDS = 3
SECONDS = 5.0

Workload = Callable[[], Iterator[Request]]
Processes = Callable[[], list[psutil.Process]]


@dataclass(frozen=True)
class Figures:
    """What some rounds of a workload gave: medians of the rounds, and the spread of the rate.

    Rates are requests a second, latencies milliseconds, `cpu_ms` milliseconds of CPU a request
    over all processes of the server, `memory_mb` their resident memory after the last round, and
    `generator` the cores that the load generator used. `wrong` holds every wrong answer.
    """

    name: str
    connections: int
    rate: float
    slowest: float
    fastest: float
    p50: float
    p99: float
    cpu_ms: float
    memory_mb: float
    generator: float
    wrong: list[str]


def measure(
    name: str,
    port: int,
    workload: Workload,
    connections: int,
    processes: Processes,
    *,
    seconds: float = SECONDS,
    rounds: int = ROUNDS,
) -> Figures:
    """Send `workload` over `connections` connections in `rounds` rounds of `seconds` each.

    `processes` lists the server's processes, whose CPU and memory count.
    """
    rates, halves, tails, cpu, generator = [], [], [], [], []
    wrong: list[str] = []
    for _ in range(rounds):
        before = _cpu_seconds(processes())
        result = run_in_own_process(port, workload, connections, seconds)
        spent = _cpu_seconds(processes()) - before
        wrong += result.errors
        rates.append(result.requests / result.seconds)
        halves.append(percentile(result.latencies, 50))
        tails.append(percentile(result.latencies, 99))
        cpu.append(spent * 1000 / max(1, result.requests))
        generator.append(result.cpu_seconds / result.seconds)
    return Figures(
        name=name,
        connections=connections,
        rate=statistics.median(rates),
        slowest=min(rates),
        fastest=max(rates),
        p50=statistics.median(halves),
        p99=statistics.median(tails),
        cpu_ms=statistics.median(cpu),
        memory_mb=_memory_mb(processes()),
        generator=statistics.median(generator),
        wrong=wrong,
    )


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile of some values; NaN where there are fewer than two."""
    if len(values) < 2:  # noqa: PLR2004
        return float("nan")
    return statistics.quantiles(values, n=100)[percent - 1]


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    return sum(_of(process, lambda p: sum(p.cpu_times()[:2])) for process in processes)


def _memory_mb(processes: list[psutil.Process]) -> float:
    return sum(_of(process, lambda p: p.memory_info().rss) for process in processes) / 2**20


def _of(process: psutil.Process, read: Callable[[psutil.Process], float]) -> float:
    try:
        return read(process)
    except psutil.Error:  # it ended meanwhile
        return 0.0
