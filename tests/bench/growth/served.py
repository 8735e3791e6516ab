"""Measurements of the whole system over HTTP."""

import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cluster.headings.load import run_in_own_process
from cluster.headings.workloads import placed_paid_accepted
from tests.support.system import System

CONNECTIONS = 64
WARM_UP_S = 2.0
RECOVERY_LIMIT_S = 300.0
NEW_ORDERS_S = 5.0
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Side:
    """One of the systems that are compared: its folder, None for an empty one, and its settings."""

    folder: Path | None = None
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Rounds:
    """Orders a second in each round, and every wrong answer."""

    rates: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The median of the rates."""
        return statistics.median(self.rates)

    def ratio_to(self, other: Self) -> float:
        """The median of the ratios to what `other` had in the same round."""
        pairs = zip(self.rates, other.rates, strict=True)
        return statistics.median(mine / others for mine, others in pairs)


@contextmanager
def _system(folder: Path, **settings: object) -> Iterator[System]:
    """Give a system that is not started yet; it is surely stopped, and leaves no log."""
    system = System(folder, **settings)
    try:
        yield system
    finally:
        system.stop()
        system.log.unlink(missing_ok=True)


@contextmanager
def _opened(side: Side, scratch: Path) -> Iterator[System]:
    with (
        tempfile.TemporaryDirectory(dir=scratch) as empty,
        _system(side.folder or Path(empty) / "data", **side.settings) as system,
    ):
        yield system


def start_s(side: Side, scratch: Path) -> float:
    """Return the seconds until a system is ready that has the machine for itself."""
    with _opened(side, scratch) as system:
        return system.start()


def side_by_side(
    sides: Mapping[str, Side], scratch: Path, *, rounds: int, seconds: float
) -> dict[str, Rounds]:
    """Measure W1 on systems that all run, in turns.

    The machine may become slower or faster meanwhile: within a round it is about the same for all.
    """
    with ExitStack() as stack:
        systems: dict[str, System] = {}
        for name, side in sides.items():
            systems[name] = stack.enter_context(_opened(side, scratch))
            systems[name].start()
        found = {name: Rounds() for name in sides}
        for system in systems.values():
            run_in_own_process(system.port, placed_paid_accepted, CONNECTIONS, WARM_UP_S)
        for _ in range(rounds):
            for name, system in systems.items():
                _round(system, found[name], seconds)
    return found


def _round(system: System, found: Rounds, seconds: float) -> None:
    result = run_in_own_process(system.port, placed_paid_accepted, CONNECTIONS, seconds)
    found.rates.append(result.rate)
    found.wrong += result.errors


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
    with _system(folder) as system:
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
