"""`make bench`: starts the system on an empty folder, loads it over HTTP, and shows its figures.

Nothing here passes or fails on speed; a wrong answer does fail.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
from rich.console import Console

from cluster.headings import workloads
from cluster.headings.load import LEAD_S, Result, Workload, run
from tests.bench.head_of_line import measure_slow_payments
from tests.bench.measure import ROUNDS, SECONDS, Figures, measure_prepared, view_lag
from tests.bench.plot import write_plot
from tests.bench.report import Bench, figures_table, lag_line, slow_table, write_json
from tests.support.system import System, eventually

CONNECTIONS = (1, 16, 64, 256)
NAMES = {
    "W1": "W1 order",
    "W2": "W2 details",
    "W3": "W3 cancel",
    "W4": "W4 mix",
}
SLOW, LAG = "slow", "lag"
PARTS = (*NAMES, SLOW, LAG)
WARM_UP_S = 3.0
WARM_UPS = 3
WARM_UP_CONNECTIONS = 16
LAG_CONNECTIONS = 64
PLACING_CONNECTIONS = 64
PLACING_ROUNDS = 3  # an order takes longer to place than to cancel
CANCELS_A_SECOND = 4000  # more than there will be: a round should end by its time
CANCELS_A_SECOND_EACH = 250  # of one connection
WIDTH = 100

progress = Console(stderr=True, soft_wrap=True)


def main() -> None:
    """Run what was asked for, show and write it; exit 1 where an answer was wrong."""
    asked = _arguments()
    bench = Bench(asked.seconds, asked.rounds)
    # Here and not in /tmp, which may be memory: commits have to reach a disk.
    with tempfile.TemporaryDirectory(prefix="siren-bench-", dir=Path.cwd()) as folder:
        system = System(Path(folder) / "data")
        try:
            progress.print(f"ready after {system.start():.1f} s")
            _measure(system, bench, asked)
        finally:
            system.stop()
    _show(bench)
    _write(bench, asked.output)
    if bench.wrong:
        progress.print(f"{len(bench.wrong)} wrong answers, the first: {bench.wrong[0]}")
        sys.exit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    add = parser.add_argument
    add("--seconds", type=float, default=SECONDS, help="length of a round (%(default)s)")
    add("--rounds", type=int, default=ROUNDS, help="rounds of each measurement (%(default)s)")
    add(
        "--connections",
        type=_numbers,
        default=CONNECTIONS,
        help="at how many connections, separated by commas (1,16,64,256)",
    )
    add("--only", type=_parts, default=PARTS, help=f"some of {','.join(PARTS)}")
    add(
        "--output",
        type=Path,
        default=Path("bench"),
        help="folder of bench.json and bench.png (%(default)s)",
    )
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted({int(number) for number in text.split(",")}))


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(text.split(","))
    if unknown := set(parts) - set(PARTS):
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(sorted(unknown))}")
    return parts


@dataclass
class Run:
    """A bench on its system; `warm` are the ids of orders that the view shows."""

    system: System
    bench: Bench
    warm: list[str] = field(default_factory=list)

    def warm_up(self) -> None:
        """Place the first orders, and wait until the view has them.

        HAProxy is reloaded once soon after the start, which closes its connections: a warm-up
        that was cut off so is done again.
        """
        for _ in range(WARM_UPS):
            self.warm, result = _place(self.system.port, WARM_UP_CONNECTIONS, WARM_UP_S)
            if not result.lost or len(result.errors) > result.lost:
                break  # all is well, or an answer was wrong: that is never forgiven
            progress.print(f"HAProxy closed {result.lost} connections; warming up again")
        self.bench.unmeasured += result.errors
        for order_id in self.warm:
            eventually(partial(self._is_there, order_id), "the view has what was placed")

    def _is_there(self, order_id: str) -> bool:
        return self.system.http.get(f"/order-details/{order_id}").status_code == httpx.codes.OK

    def accepted(self, at_most: int) -> list[str]:
        """Place orders for some rounds' time, unmeasured, and return their ids."""
        seconds = PLACING_ROUNDS * self.bench.seconds
        order_ids, result = _place(self.system.port, PLACING_CONNECTIONS, seconds, at_most)
        self.bench.unmeasured += result.errors
        return order_ids

    def figures(self, part: str, connections: int) -> Figures:
        """Measure one workload."""
        return measure_prepared(
            NAMES[part],
            self.system.port,
            self._preparation(part, connections),
            connections,
            self.system.processes,
            seconds=self.bench.seconds,
            rounds=self.bench.rounds,
        )

    def _preparation(self, part: str, connections: int) -> Callable[[], Workload]:
        """Return what makes the workload of each round; only cancels need new orders each time."""
        if part == "W3":
            a_second = min(CANCELS_A_SECOND, CANCELS_A_SECOND_EACH * connections)
            at_most = int(a_second * (self.bench.seconds + LEAD_S))
            return lambda: partial(workloads.canceled, self.accepted(at_most))
        workloads_of: dict[str, Workload] = {
            "W1": workloads.placed_paid_accepted,
            "W2": partial(workloads.order_details, self.warm),
            "W4": partial(workloads.mixed, self.warm),
        }
        return lambda: workloads_of[part]


def _place(
    port: int, connections: int, seconds: float, at_most: int = sys.maxsize
) -> tuple[list[str], Result]:
    order_ids: list[str] = []
    requests = workloads.placed(at_most, order_ids.append)
    return order_ids, asyncio.run(run(port, requests, connections, seconds))


def _measure(system: System, bench: Bench, asked: argparse.Namespace) -> None:
    this = Run(system, bench)
    this.warm_up()
    for part in [part for part in NAMES if part in asked.only]:
        for connections in asked.connections:
            bench.figures.append(this.figures(part, connections))
            _tell(bench.figures[-1])
    if SLOW in asked.only:
        bench.slow = measure_slow_payments(
            system.port, system.processes, seconds=bench.seconds, rounds=bench.rounds
        )
        for figures in (bench.slow.beside, bench.slow.without, bench.slow.all_slow):
            _tell(figures)
    if LAG in asked.only:
        seconds = bench.seconds * bench.rounds
        load = workloads.placed_paid_accepted
        bench.lag = view_lag(system.port, load, LAG_CONNECTIONS, seconds)
        progress.print(lag_line(bench.lag), highlight=False)


def _tell(figures: Figures) -> None:
    progress.print(
        f"{figures.name} at {figures.connections}: {figures.rate:,.0f}/s, "
        f"p50 {figures.p50:.1f} ms, p99 {figures.p99:.1f} ms, {len(figures.wrong)} errors, "
        f"{figures.cpu_ms:.2f} CPU ms each",
        highlight=False,
    )


def _show(bench: Bench) -> None:
    console = Console(width=max(WIDTH, Console().width))
    if bench.figures:
        console.print(figures_table(bench.figures, bench.rounds))
    if bench.slow:
        console.print(slow_table(bench.slow))
    if bench.lag:
        console.print(lag_line(bench.lag))


def _write(bench: Bench, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "bench.json", bench)
    if bench.figures:
        title = f"Siren Order: medians of {bench.rounds} rounds of {bench.seconds:g} s"
        write_plot(folder / "bench.png", bench.figures, title)


if __name__ == "__main__":
    main()
