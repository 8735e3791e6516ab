"""The parts of the growth bench: each makes the folder it needs, and returns its figures."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from actors.settings import Service
from tests.bench.growth import alone, served
from tests.bench.growth.figures import Figure
from tests.bench.growth.folder import TABLES, fill, is_filled
from tests.bench.growth.history import Live
from tests.bench.growth.served import Rounds, Side

ORDER_HOSTS = (1, 2, 4)
PER_ORDER = 4096  # bytes of memory


@dataclass(slots=True)
class Run:
    """What was asked for, and what the parts share. `kept`: the user's folder for the history."""

    orders: int
    live: int
    seconds: float
    rounds: int
    rebuild_orders: int
    scratch: Path
    kept: Path | None
    wrong: list[str] = field(default_factory=list)
    made: dict[str, Path] = field(default_factory=dict)
    filling_s: float = 0.0

    def history(self) -> Path:
        """Return the folder with the whole history; made at first use."""
        if "history" not in self.made:
            folder = (self.kept or self.scratch / "history").absolute()
            if self.kept is None or not is_filled(folder, self.orders):
                self.filling_s = fill(folder, self.orders)
            self.made["history"] = folder
        return self.made["history"]

    def open_orders(self, kind: Live, name: str) -> Path:
        """Return a folder with live orders alone; the same one for the same name."""
        if name not in self.made:
            folder = self.scratch / name
            fill(folder, 0, self.live, kind)
            self.made[name] = folder
        return self.made[name]


def disk(run: Run) -> list[Figure]:
    """Bytes of each database an order, and how fast the history was made."""
    folder = run.history()
    sizes: Counter[str] = Counter()
    for service in _services():
        for path in folder.glob(f"{service}.db*"):
            sizes[service] += path.stat().st_size
    each = ", ".join(f"{service} {sizes[service] / run.orders:,.0f}" for service in sizes)
    figures = [Figure("disk an order", sizes.total() / run.orders, "bytes", note=each)]
    if run.filling_s:
        rate = run.orders / run.filling_s
        figures.append(Figure("history made", rate, "orders/s", note=f"in {run.filling_s:.0f} s"))
    return figures


def _services() -> list[Service]:
    return list(TABLES)


def memory(run: Run) -> list[Figure]:
    """Recovery, activation and memory of orders that wait to be paid."""
    woken = alone.in_own_process(alone.wake_all, run.open_orders("waiting", "waiting"))
    timer = woken.recovery_bytes / woken.orders
    return [
        Figure(
            "recovery, waiting for a deadline", woken.recovery_s, "s", 10, note=_of(woken.orders)
        ),
        Figure("memory of one that only has its timer", timer, "bytes"),
        *_in_memory("waiting to be paid", woken),
    ]


def recovery(run: Run) -> list[Figure]:
    """Recovery of orders whose charge is outstanding, and what they cost in memory afterwards."""
    folder = run.open_orders("charging", "charging")
    host_s = alone.in_own_process(alone.take_up_all, folder)
    found = alone.in_own_process(alone.recover_charging, folder)
    accepted = alone.in_own_process(alone.wake_all, folder)
    real = served.recover(run.open_orders("charging", "charging in the system"), run.live)
    host = f"{_of(run.live)}, the host alone: nobody answers"
    both = f"{_of(found.orders)}, all services in one process"
    every = f"{_of(run.live)}, the whole system, from the first"
    outstanding = "recovery, charge outstanding"
    return [
        Figure(f"{outstanding}: host alone, all taken up", host_s, "s", 10, note=host),
        Figure(f"{outstanding}: all taken up", found.taken_up_s, "s", 10, note=both),
        Figure(f"{outstanding}: all accepted", found.settled_s, "s", note=both),
        *_in_memory("accepted", accepted),
        Figure("recovery in the system: all charged", real.charged_s, "s", note=every),
        Figure("recovery in the system: all accepted", real.settled_s, "s", note=every),
        Figure("a new order meanwhile, p50", real.new_order_ms, "ms", note="1 connection"),
    ]


def _in_memory(status: str, woken: alone.Woken) -> list[Figure]:
    each, micros = woken.wake_bytes / woken.orders, woken.wake_s / woken.orders * 1e6
    note = _of(woken.orders)
    return [
        Figure(f"memory of a live order, {status}", each, "bytes", PER_ORDER, note=note),
        Figure(f"activation of an order, {status}", micros, "µs", note=note),
    ]


def _of(orders: int) -> str:
    return f"{orders:,} orders"


def rebuild(run: Run) -> list[Figure]:
    """Events a second of a rebuild of the view."""
    folder = run.scratch / "rebuild"
    fill(folder, run.rebuild_orders)
    found = alone.in_own_process(alone.rebuild_view, folder)
    note = f"{found.events:,} events in {found.seconds:.0f} s"
    if not found.complete:
        note += ", not to the end"
    rate = found.events / found.seconds
    return [Figure("rebuild of the view", rate, "events/s", 20_000, more_is_better=True, note=note)]


def throughput(run: Run) -> list[Figure]:
    """W1 with a long history and with live orders, against an empty folder; and their starts."""
    sides = {
        "empty": Side(),
        "history": Side(run.history()),
        "live": Side(run.open_orders("waiting", "waiting")),
    }
    found = _compared(run, sides)
    names = {
        "empty": "an empty folder",
        "history": f"{run.orders:,} orders of history",
        "live": f"{run.live:,} orders waiting to be paid",
    }
    figures = [_rate(f"W1 at 64, {names[key]}", rounds) for key, rounds in found.items()]
    for key, must in (("history", 0.9), ("live", None)):
        ratio = found[key].ratio_to(found["empty"])
        name = f"W1 with {names[key]}, of an empty folder's"
        figures.append(Figure(name, ratio, "", must, more_is_better=True))
    for key, side in sides.items():
        start_s = served.start_s(side, run.scratch)
        figures.append(Figure(f"start to ready, {names[key]}", start_s, "s", 20))
    return figures


def order_hosts(run: Run) -> list[Figure]:
    """W1 with one, two and four order hosts."""
    sides = {f"{count} order hosts": Side(None, {"order_hosts": count}) for count in ORDER_HOSTS}
    found = _compared(run, sides)
    return [_rate(f"W1 at 64, {name}", rounds) for name, rounds in found.items()]


def _compared(run: Run, sides: Mapping[str, Side]) -> dict[str, Rounds]:
    found = served.side_by_side(sides, run.scratch, rounds=run.rounds, seconds=run.seconds)
    for rounds in found.values():
        run.wrong += rounds.wrong
    return found


def _rate(name: str, found: Rounds) -> Figure:
    spread = f"{min(found.rates):,.0f}–{max(found.rates):,.0f}"
    return Figure(name, found.rate, "orders/s", more_is_better=True, note=f"rounds: {spread}")
