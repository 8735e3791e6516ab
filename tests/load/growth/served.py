"""Measurements of the whole system over HTTP, started anew for each round."""

import sqlite3
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.load.http_load import run_in_own_process
from tests.load.measure import measure
from tests.load.workloads import placed_paid_accepted
from tests.system import System

CONNECTIONS = 64
WARM_UP_S = 2.0
RECOVERY_LIMIT_S = 300.0
NEW_ORDERS_S = 5.0
POLL_S = 0.2


@dataclass(slots=True)
class Rounds:
    """Orders a second and seconds until ready, one of each a round; and every wrong answer."""

    rates: list[float] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The median of the rates."""
        return statistics.median(self.rates)

    @property
    def start_s(self) -> float:
        """The median of the seconds until ready."""
        return statistics.median(self.starts)


@contextmanager
def started(folder: Path, **settings: object) -> Iterator[tuple[System, float]]:
    """Run a system on a folder; gives it and the seconds after which it was ready."""
    system = System(folder, **settings)
    try:
        yield system, system.start()
    finally:
        system.stop()
        system.log.unlink(missing_ok=True)


def alternate(
    folders: Mapping[str, Path | None], scratch: Path, *, rounds: int, seconds: float
) -> dict[str, Rounds]:
    """Measure W1 on each folder in turn, `rounds` times; None is an empty folder each time."""
    found: defaultdict[str, Rounds] = defaultdict(Rounds)
    for _ in range(rounds):
        for name, folder in folders.items():
            with tempfile.TemporaryDirectory(dir=scratch) as empty:
                _round(folder or Path(empty) / "data", found[name], seconds)
    return found


def with_order_hosts(count: int, scratch: Path, *, rounds: int, seconds: float) -> Rounds:
    """Measure W1 on an empty folder with so many order hosts."""
    found = Rounds()
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=scratch) as empty:
            _round(Path(empty) / "data", found, seconds, order_hosts=count)
    return found


def _round(folder: Path, found: Rounds, seconds: float, **settings: object) -> None:
    with started(folder, **settings) as (system, start_s):
        run_in_own_process(system.port, placed_paid_accepted, CONNECTIONS, WARM_UP_S)
        figures = measure(
            "W1",
            system.port,
            placed_paid_accepted,
            CONNECTIONS,
            system.processes,
            seconds=seconds,
            rounds=1,
        )
    found.rates.append(figures.rate)
    found.starts.append(start_s)
    found.wrong += figures.wrong


@dataclass(slots=True)
class Recovery:
    """Seconds from the first order that payment charged to the last, and to all being settled.

    `new_order_ms`: the median of orders that were placed meanwhile, one after the other.
    """

    charged_s: float
    settled_s: float
    new_order_ms: float


def recover(folder: Path, orders: int) -> Recovery:
    """Start a system on a folder whose `orders` open orders have their charge outstanding.

    Raises `TimeoutError` where they are not settled within `RECOVERY_LIMIT_S`.
    """
    system = System(folder)
    watch = _Watch(system, orders)
    try:
        watch.start()
        system.start()
        new = run_in_own_process(system.port, placed_paid_accepted, 1, NEW_ORDERS_S)
        watch.join(RECOVERY_LIMIT_S)
        if not watch.settled:
            raise TimeoutError("the orders do not settle")
    finally:
        watch.over.set()
        watch.join()
        system.stop()
        system.log.unlink(missing_ok=True)
    return Recovery(
        watch.charged - watch.first,
        watch.settled - watch.first,
        statistics.median(new.latencies),
    )


class _Watch(threading.Thread):
    """Looks at the databases of a starting system: it recovers before it is ready."""

    def __init__(self, system: System, orders: int) -> None:
        super().__init__()
        self.over = threading.Event()
        self.first = self.charged = self.settled = 0.0
        self._system = system
        self._orders = orders

    def run(self) -> None:
        while not self.over.wait(POLL_S) and not self.settled:
            with suppress(sqlite3.Error):  # busy: the next look tells
                self._look()

    def _look(self) -> None:
        (charged,) = self._system.sql("payments", "SELECT count(*) FROM payments")[0]
        (still_open,) = self._system.sql("journal", "SELECT count(*) FROM open_orders")[0]
        now = time.monotonic()
        if charged and not self.first:
            self.first = now - POLL_S
        if charged >= self._orders and not self.charged:
            self.charged = now
        if not still_open:
            self.settled = now
