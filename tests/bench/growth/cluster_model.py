"""What a cluster would do: a simulation of its processes from the figures of one machine.

Every process of the system serves whatever waits as one batch, for a fixed time and a time for
each item, one batch at a time. An order visits them in turn; a fixed number of clients sends the
next order when the last is answered; the view follows, and nobody waits for it. `python -m
tests.bench.growth.cluster_model` prints a table; its options are the database's figures.
"""

import argparse
import heapq
import statistics
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count

from rich.console import Console
from rich.table import Table

from actors.runtime.batching import LARGEST_BATCH

COMMIT_MS = 1.0
ROW_MS = 0.05
"""PostgreSQL's two figures: how long a transaction holds its lock whatever it writes, round trips
and disk included, and for each row more. `python -m tests.bench.growth.commit_costs` measures it:
1.08 ms with one order and 3.58 with 24 at the journal, 0.88 and 2.12 at payments."""
ROWS = {"journal": 2, "payments": 1, "stores": 1, "view": 1}
"""Rows, about, that an order adds at each visit."""
PROJECTED = 1000
"""Events that a projector folds in one transaction."""
CLIENTS_A_NODE = 128
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
    projection: float = 0.10
    call: float = 0.2  # a message and its reply, both sides, for each batch
    # The advisory lock lets one transaction in at a time, whoever asks.
    commit: float = COMMIT_MS
    row: float = ROW_MS

    @property
    def rows(self) -> float:
        """Milliseconds of a database's core for all rows of an order."""
        return self.row * (sum(ROWS.values()) + ROWS["journal"])  # which is visited twice


@dataclass(frozen=True)
class Shape:
    """How many processes of each kind; a service with several is sharded by order id.

    `journals`: how many groups of slots, each with a journal, its lock and a projector.
    """

    gateways: int
    hosts: int
    payments: int = 1
    stores: int = 1
    journals: int = 1


@dataclass(frozen=True)
class Outcome:
    """Orders a second, the median latency in ms, and which kind of process is the busiest.

    `waiting`: how many milliseconds of orders the view is behind at the end.
    """

    rate: float
    p50: float
    busiest: str
    waiting: float


@dataclass
class Process:
    """One process, or one lock: serves what waits, a batch at a time."""

    fixed: float
    each: float
    largest: int = LARGEST_BATCH
    waiting: deque["Order"] = field(default_factory=deque)
    serving: list["Order"] = field(default_factory=list)
    busy_ms: float = 0.0

    def begin(self) -> float:
        """Take a batch and return how long it takes."""
        size = min(len(self.waiting), self.largest)
        self.serving = [self.waiting.popleft() for _ in range(size)]
        duration = self.fixed + self.each * size
        self.busy_ms += duration
        return duration


@dataclass
class Order:
    """An order on its way: the processes that it still has to visit, and then those of the view."""

    began: float
    route: deque[Process]
    view: deque[Process] | None = None


class Simulation:
    """A cluster, and the clients that keep it busy."""

    def __init__(self, shape: Shape, costs: Costs) -> None:
        self._kinds = _build(shape, costs)
        self._clock, self._ids = 0.0, count()
        self._endings: list[tuple[float, int, Process]] = []

    def run(self, clients: int, ms: float) -> Outcome:
        """Let so many clients order for so long."""
        latencies: list[float] = []
        for _ in range(clients):
            self._order()
        while self._clock < ms:
            self._clock, _, process = heapq.heappop(self._endings)
            done, process.serving = process.serving, []
            self._go_on(process)
            for order in done:
                order.route.popleft()
                if order.route:
                    self._arrive(order)
                elif order.view is not None:
                    if self._clock > ms * WARM_UP:
                        latencies.append(self._clock - order.began)
                    self._arrive(Order(self._clock, order.view))
                    self._order()
        rate = len(latencies) / (ms * (1 - WARM_UP)) * 1000
        busy = {kind: max(p.busy_ms for p in each) for kind, each in self._kinds.items()}
        behind = sum(len(p.waiting) for kind in VIEW for p in self._kinds[kind]) / rate * 1000
        return Outcome(rate, statistics.median(latencies), max(busy, key=lambda k: busy[k]), behind)

    def _order(self) -> None:
        number = next(self._ids)
        self._arrive(Order(self._clock, _route(self._kinds, number), _view(self._kinds, number)))

    def _arrive(self, order: Order) -> None:
        process = order.route[0]
        process.waiting.append(order)
        self._go_on(process)

    def _go_on(self, process: Process) -> None:
        if process.waiting and not process.serving:
            ends = self._clock + process.begin()
            heapq.heappush(self._endings, (ends, next(self._ids), process))


VIEW = ("projection", "view lock")


def _build(shape: Shape, costs: Costs) -> dict[str, list[Process]]:
    half_a_call = costs.call / 2

    def some(number: int, fixed: float, each: float) -> list[Process]:
        return [Process(fixed, each) for _ in range(number)]

    def locks(number: int, table: str) -> list[Process]:
        return some(number, costs.commit, ROWS[table] * costs.row)

    return {
        "gateway": some(shape.gateways, half_a_call / 2, costs.gateway / 2),
        "order host": some(shape.hosts, half_a_call, costs.host / 3),
        "journal lock": locks(shape.journals, "journal"),
        "payment": some(shape.payments, half_a_call, costs.payment),
        "payments lock": locks(shape.payments, "payments"),
        "store": some(shape.stores, half_a_call, costs.store),
        "stores lock": locks(shape.stores, "stores"),
        "projection": [Process(0, costs.projection, PROJECTED) for _ in range(shape.journals)],
        "view lock": [
            Process(costs.commit, ROWS["view"] * costs.row, PROJECTED)
            for _ in range(shape.journals)
        ],
    }


def _mine(cluster: dict[str, list[Process]], kind: str, order: int) -> Process:
    return cluster[kind][order % len(cluster[kind])]


def _route(cluster: dict[str, list[Process]], order: int) -> deque[Process]:
    mine = partial(_mine, cluster, order=order)
    gateway, host, journal = mine("gateway"), mine("order host"), mine("journal lock")
    paying = [gateway, host, journal, mine("payment"), mine("payments lock")]
    accepting = [host, mine("store"), mine("stores lock"), host, journal, gateway]
    return deque([*paying, *accepting])


def _view(cluster: dict[str, list[Process]], order: int) -> deque[Process]:
    return deque(_mine(cluster, kind, order) for kind in VIEW)


def shapes() -> Iterator[tuple[int, Shape]]:
    """Yield clusters by their number of nodes: as built, then with what would lift their limit."""
    for nodes in (1, 2, 4, 8, 16):
        shape = Shape(gateways=nodes, hosts=nodes)
        yield nodes, shape
        if nodes == 2:
            yield nodes, replace(shape, journals=2)
        if nodes > 2:
            yield nodes, replace(shape, journals=nodes)
            yield nodes, replace(shape, journals=nodes, payments=nodes // 2, stores=nodes // 2)


def main() -> None:
    """Print what clusters of growing size would do."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--commit-ms", type=float, default=COMMIT_MS)
    options.add_argument("--row-ms", type=float, default=ROW_MS)
    options.add_argument("--seconds", type=float, default=4.0, help="simulated ones")
    given = options.parse_args()
    costs = Costs(commit=given.commit_ms, row=given.row_ms)
    table = Table(
        title=f"orders placed, paid and accepted; 2 cores and {CLIENTS_A_NODE} clients a node; "
        f"a commit takes {costs.commit} ms and {costs.row} ms a row"
    )
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for nodes, shape in shapes():
        found = Simulation(shape, costs).run(CLIENTS_A_NODE * nodes, given.seconds * 1000)
        cores = found.rate * costs.rows / 1000
        row = (nodes, shape.journals, f"{shape.payments}, {shape.stores}", f"{found.rate:,.0f}")
        rest = (f"{found.p50:.0f}", found.busiest, f"{found.waiting:,.0f}", f"{cores:.1f}")
        table.add_row(*map(str, row), *rest)
    Console().print(table)


COLUMNS = (
    "nodes",
    "journals",
    "payment, store",
    "orders/s",
    "p50 ms",
    "busiest",
    "view behind ms",
    "database cores",
)


if __name__ == "__main__":
    main()
