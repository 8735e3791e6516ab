"""What a cluster would do: a simulation of its processes from the figures of one machine.

Every process of the system serves whatever waits as one batch, for a fixed time and a time for
each item, one batch at a time. An order visits them in turn; a fixed number of clients sends the
next order when the last is answered. `python -m tests.bench.growth.cluster_model` prints a table.
"""

import heapq
import statistics
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import count

from rich.console import Console
from rich.table import Table

from actors.runtime.batching import LARGEST_BATCH

LARGEST_CLUSTER = 16
WARM_UP = 0.3
"""The part of the simulated time that does not count."""


@dataclass(frozen=True)
class Costs:
    """Milliseconds, measured on a 2-core machine (tests/bench/README.md): CPU of a process for each
    order that visits it, and what a batch costs whatever its size."""

    gateway: float = 0.40  # HAProxy included; half before and half after the saga
    host: float = 0.26  # three visits
    payment: float = 0.14
    store: float = 0.07
    call: float = 0.2  # a message and its reply, both sides, for each batch
    # PostgreSQL, one commit: the advisory lock lets one in at a time, whoever asks.
    commit: float = 1.0
    commit_item: float = 0.03  # 23,000 to 50,000 rows a second in large groups


@dataclass(frozen=True)
class Shape:
    """How many processes of each kind; a service with several is sharded by order id.

    `journals`: how many journals there are, each with a lock of its own.
    """

    gateways: int
    hosts: int
    payments: int = 1
    stores: int = 1
    journals: int = 1


@dataclass
class Process:
    """One process, or one lock: serves what waits, a batch at a time."""

    fixed: float
    each: float
    waiting: deque["Order"] = field(default_factory=deque)
    serving: list["Order"] = field(default_factory=list)
    busy_ms: float = 0.0

    def begin(self) -> float:
        """Take a batch and return how long it takes."""
        size = min(len(self.waiting), LARGEST_BATCH)
        self.serving = [self.waiting.popleft() for _ in range(size)]
        duration = self.fixed + self.each * size
        self.busy_ms += duration
        return duration


@dataclass
class Order:
    """An order on its way: the processes that it still has to visit."""

    began: float
    route: deque[Process]


def simulate(shape: Shape, costs: Costs, clients: int, ms: float) -> tuple[float, float, str]:
    """Return orders a second, the median latency in ms, and the kind of process that is busiest."""
    cluster = _build(shape, costs)
    clock, ids = 0.0, count()
    endings: list[tuple[float, int, Process]] = []
    latencies: list[float] = []

    def arrive(order: Order) -> None:
        process = order.route[0]
        process.waiting.append(order)
        if not process.serving:
            heapq.heappush(endings, (clock + process.begin(), next(ids), process))

    for client in range(clients):
        arrive(Order(0.0, _route(cluster, client)))
    while clock < ms:
        clock, _, process = heapq.heappop(endings)
        done, process.serving = process.serving, []
        if process.waiting:
            heapq.heappush(endings, (clock + process.begin(), next(ids), process))
        for order in done:
            order.route.popleft()
            if not order.route:
                if clock > ms * WARM_UP:
                    latencies.append(clock - order.began)
                order = Order(clock, _route(cluster, next(ids)))  # noqa: PLW2901
            arrive(order)
    busiest = max(cluster, key=lambda kind: max(p.busy_ms for p in cluster[kind]))
    rate = len(latencies) / (ms * (1 - WARM_UP)) * 1000
    return rate, statistics.median(latencies), busiest


def _build(shape: Shape, costs: Costs) -> dict[str, list[Process]]:
    def some(number: int, fixed: float, each: float) -> list[Process]:
        return [Process(fixed, each) for _ in range(number)]

    half_a_call = costs.call / 2
    return {
        "gateway": some(shape.gateways, half_a_call / 2, costs.gateway / 2),
        "order host": some(shape.hosts, half_a_call, costs.host / 3),
        "journal lock": some(shape.journals, costs.commit, 2 * costs.commit_item),
        "payment": some(shape.payments, half_a_call, costs.payment),
        "payments lock": some(shape.payments, costs.commit, costs.commit_item),
        "store": some(shape.stores, half_a_call, costs.store),
        "stores lock": some(shape.stores, costs.commit, costs.commit_item),
    }


def _route(cluster: dict[str, list[Process]], order: int) -> deque[Process]:
    def mine(kind: str) -> Process:
        return cluster[kind][order % len(cluster[kind])]

    gateway, host, journal = mine("gateway"), mine("order host"), mine("journal lock")
    paying = [gateway, host, journal, mine("payment"), mine("payments lock")]
    accepting = [host, mine("store"), mine("stores lock"), host, journal, gateway]
    return deque([*paying, *accepting])


def main() -> None:
    """Print what clusters of growing size would do."""
    table = Table(title="orders placed, paid and accepted, 2 cores a node, 128 clients a node")
    for column in ("nodes", "payment, store", "journals", "orders/s", "p50 ms", "busiest"):
        table.add_column(column, justify="right")
    for nodes in (1, 2, 4, 8, LARGEST_CLUSTER):
        shape = Shape(gateways=nodes, hosts=nodes)
        choices = [shape]
        if nodes == LARGEST_CLUSTER:  # what would lift it
            sharded = replace(shape, payments=8, stores=8)
            choices += [sharded, replace(sharded, journals=8)]
        for choice in choices:
            rate, half, busiest = simulate(choice, Costs(), clients=128 * nodes, ms=4000)
            row = (nodes, f"{choice.payments}, {choice.stores}", choice.journals)
            table.add_row(*map(str, row), f"{rate:,.0f}", f"{half:.0f}", busiest)
    Console().print(table)


if __name__ == "__main__":
    main()
