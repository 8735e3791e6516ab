"""`make bench-checkouts BESIDE=DIR`: this checkout beside another one, measured in turns.

Both systems run all the time, and each round measures one after the other, so that the machine's
drift hits both alike. What counts is the median of the rounds' ratios. Nothing passes or fails on
speed; a wrong answer does fail.
"""

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.http_load import run_in_own_process
from tests.bench.measure import Figures, measure
from tests.bench.peers.plans import ORDERS, W1, W2, Plan, details_of_the_newest
from tests.support.system import ROOT, System

THIS, OTHER = "this", "other"
PLANS = (Plan(W1, (1, 64, 256), ORDERS), Plan(W2, (64,), details_of_the_newest))
SECONDS, ROUNDS = 3.0, 7
WARM_UP_S, WARM_UP_CONNECTIONS = 3.0, 16

Pair = tuple[Figures, Figures]
"""What one round gave: this checkout, the other one."""

console = Console(highlight=False, width=100)
progress = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)


def main() -> None:
    """Measure all rounds and show them; exit 1 where an answer was wrong."""
    asked = _arguments()
    with (
        # Here and not in /tmp, which may be memory: commits have to reach a disk.
        tempfile.TemporaryDirectory(prefix="siren-bench-", dir=Path.cwd()) as folder,
        ExitStack() as stack,
    ):
        systems = {
            name: _started(stack, Path(folder) / name, checkout)
            for name, checkout in ((THIS, ROOT), (OTHER, asked.beside.absolute()))
        }
        found = _measured(systems, asked.rounds, asked.seconds)
    console.print(_table(found, asked.rounds))
    wrong = [error for pairs in found.values() for pair in pairs for f in pair for error in f.wrong]
    if wrong:
        progress.print(f"{len(wrong)} wrong answers, the first: {wrong[0]}")
        sys.exit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.checkouts", description=__doc__)
    add = parser.add_argument
    add("beside", type=Path, help="the other checkout; `make install` was run in it")
    add("--seconds", type=float, default=SECONDS, help="length of a measurement (%(default)s)")
    add("--rounds", type=int, default=ROUNDS, help="rounds of both (%(default)s)")
    return parser.parse_args()


def _started(stack: ExitStack, folder: Path, checkout: Path) -> System:
    folder.mkdir()
    system = System(folder / "data", checkout)
    stack.callback(system.stop)
    progress.print(f"{checkout}: ready after {system.start():.1f} s")
    # Its answers do not count: HAProxy may reload once more, and cut connections, after a start.
    run_in_own_process(system.port, ORDERS(system.port), WARM_UP_CONNECTIONS, WARM_UP_S)
    return system


def _measured(
    systems: dict[str, System], rounds: int, seconds: float
) -> dict[tuple[str, int], list[Pair]]:
    found: dict[tuple[str, int], list[Pair]] = {}
    for number in range(rounds):
        # Who comes first takes turns, too: the disk is still busy with what was before.
        order = (THIS, OTHER) if number % 2 else (OTHER, THIS)
        for plan in PLANS:
            for connections in plan.connections:
                progress.print(f"round {number + 1} of {rounds}: {plan.workload} at {connections}")
                figures = {
                    name: _round(systems[name], plan, connections, seconds) for name in order
                }
                pair = (figures[THIS], figures[OTHER])
                found.setdefault((plan.workload, connections), []).append(pair)
    return found


def _round(system: System, plan: Plan, connections: int, seconds: float) -> Figures:
    return measure(
        plan.workload,
        system.port,
        plan.prepare(system.port),
        connections,
        system.processes,
        seconds=seconds,
        rounds=1,
    )


def _table(found: dict[tuple[str, int], list[Pair]], rounds: int) -> Table:
    table = Table("workload", title=f"medians of {rounds} rounds; ratios: this by the other")
    for column in ("connections", "this /s", "other /s", "ratio", "spread", "p50", "CPU"):
        table.add_column(column, justify="right")
    for (workload, connections), pairs in found.items():
        ratios = [this.rate / other.rate for this, other in pairs]
        table.add_row(
            workload,
            str(connections),
            *(f"{statistics.median(pair[side].rate for pair in pairs):,.0f}" for side in (0, 1)),
            f"{statistics.median(ratios):.3f}",
            f"{min(ratios):.2f}–{max(ratios):.2f}",
            f"{statistics.median(this.p50 / other.p50 for this, other in pairs):.3f}",
            f"{statistics.median(this.cpu_ms / other.cpu_ms for this, other in pairs):.3f}",
        )
    return table


if __name__ == "__main__":
    main()
