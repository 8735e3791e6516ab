"""Rounds of one workload against one server: medians, spread, CPU, memory; and the view's lag."""

import asyncio
import json
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count

import psutil

from cluster.headings.load import (
    Result,
    Workload,
    content_length,
    http_request,
    percentile,
    run_in_own_process,
)
from cluster.headings.workloads import ACCEPTED, LONG_WAIT, STORES, order_id_of, place_request

ROUNDS = 3
SECONDS = 5.0
SAMPLE_EVERY_S = 0.05
POLL_S = 0.002
LOAD_BEGINS_S = 1.0
"""A new process needs a moment until it loads the system; what is sampled before would flatter."""
LOST_S = 30.0
"""An order that the view does not show for so long counts as a wrong answer."""

Processes = Callable[[], list[psutil.Process]]


@dataclass(frozen=True)
class Kind:
    """One kind of request in a workload: its latencies in milliseconds, medians of the rounds.

    `requests` counts all rounds; `under_way` is how many there were at a time on average.
    """

    requests: int
    under_way: float
    p50: float
    p99: float


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
    kinds: dict[str, Kind] = field(default_factory=dict)


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
    return measure_prepared(
        name, port, lambda: workload, connections, processes, seconds=seconds, rounds=rounds
    )


def measure_prepared(
    name: str,
    port: int,
    prepare: Callable[[], Workload],
    connections: int,
    processes: Processes,
    *,
    seconds: float,
    rounds: int,
) -> Figures:
    """Like `measure`, with a workload that `prepare` makes before each round, unmeasured."""
    results: list[Result] = []
    cpu: list[float] = []
    for _ in range(rounds):
        workload = prepare()
        before = _cpu_seconds(processes())
        result = run_in_own_process(port, workload, connections, seconds)
        after = _cpu_seconds(processes())
        # One that ended meanwhile is not counted; one that began, from its beginning.
        spent = sum(value - before.get(pid, 0.0) for pid, value in after.items())
        cpu.append(spent * 1000 / max(1, result.requests))
        results.append(result)
    rates = [result.rate for result in results]
    everything = _kind([(result.latencies, result.seconds) for result in results])
    return Figures(
        name=name,
        connections=connections,
        rate=statistics.median(rates),
        slowest=min(rates),
        fastest=max(rates),
        p50=everything.p50,
        p99=everything.p99,
        cpu_ms=statistics.median(cpu),
        memory_mb=_memory_mb(processes()),
        generator=statistics.median(result.cores for result in results),
        wrong=[error for result in results for error in result.errors],
        kinds=_by_kind(results),
    )


def _by_kind(results: list[Result]) -> dict[str, Kind]:
    names = sorted({name for result in results for name in result.by_kind})
    return {
        name: _kind([(result.by_kind.get(name, []), result.seconds) for result in results])
        for name in names
    }


def _kind(rounds: list[tuple[list[float], float]]) -> Kind:
    """Return what rounds gave, each its latencies in milliseconds and its length in seconds."""
    return Kind(
        requests=sum(len(latencies) for latencies, _ in rounds),
        under_way=statistics.median(sum(ms) / 1000 / max(s, POLL_S) for ms, s in rounds),
        p50=statistics.median(percentile(latencies, 50) for latencies, _ in rounds),
        p99=statistics.median(percentile(latencies, 99) for latencies, _ in rounds),
    )


def _cpu_seconds(processes: list[psutil.Process]) -> dict[int, float]:
    return {process.pid: _of(process, lambda p: sum(p.cpu_times()[:2])) for process in processes}


def _memory_mb(processes: list[psutil.Process]) -> float:
    return sum(_of(process, lambda p: p.memory_info().rss) for process in processes) / 2**20


def _of(process: psutil.Process, read: Callable[[psutil.Process], float]) -> float:
    try:
        return read(process)
    except psutil.Error:  # it ended meanwhile
        return 0.0


@dataclass
class Lag:
    """How far the view was behind, in milliseconds, and how long single reads of it took.

    A lag ends with the answer of the read that first showed the order, so it holds at least one
    read's time.
    """

    lags: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def view_lag(port: int, workload: Workload, connections: int, seconds: float) -> Lag:
    """Measure how long after its 201 an order is in the view, while `workload` runs."""
    return asyncio.run(_view_lag(port, workload, connections, seconds))


async def _view_lag(port: int, workload: Workload, connections: int, seconds: float) -> Lag:
    lag = Lag()
    load = asyncio.create_task(
        asyncio.to_thread(run_in_own_process, port, workload, connections, seconds)
    )
    samples: list[asyncio.Task[None]] = []
    run = uuid.uuid4().hex[:8]
    await asyncio.sleep(LOAD_BEGINS_S)
    for number in count():
        if load.done():
            break
        samples.append(asyncio.create_task(_sampled(port, f"lag-{run}-{number}", lag)))
        await asyncio.sleep(SAMPLE_EVERY_S)
    await asyncio.gather(*samples)
    lag.wrong += load.result().errors
    return lag


async def _sampled(port: int, key: str, lag: Lag) -> None:
    try:
        async with asyncio.timeout(LOST_S):
            await _sample(port, key, lag)
    except (OSError, EOFError, TimeoutError, ValueError) as error:
        lag.wrong.append(f"{key}: {error!r}")


async def _sample(port: int, key: str, lag: Lag) -> None:
    """Place an order, read it from the view until it is there; `ValueError` for wrong answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def ask(request: bytes) -> tuple[int, bytes]:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        return int(head[9:12]), await reader.readexactly(content_length(head))

    try:
        status, order = await ask(
            place_request(key, STORES[0], "tok_approve", key, Prefer=LONG_WAIT)
        )
        placed = time.perf_counter()
        if status != 201 or ACCEPTED not in order:
            raise ValueError(f"{status} {order[:200]!r}")
        # Polled as a client without min_version would.
        while not await _is_there(ask, order, lag):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        lag.lags.append((time.perf_counter() - placed) * 1000)
    finally:
        writer.close()


async def _is_there(
    ask: Callable[[bytes], Awaitable[tuple[int, bytes]]], order: bytes, lag: Lag
) -> bool:
    began = time.perf_counter()
    status, seen = await ask(http_request("GET", f"/order-details/{order_id_of(order)}"))
    lag.reads.append((time.perf_counter() - began) * 1000)
    if status not in {200, 404}:
        raise ValueError(f"{status} {seen[:200]!r}")
    return status == 200 and bool(json.loads(seen)["version"] >= json.loads(order)["version"])
