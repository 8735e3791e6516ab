"""Two systems measured in turns, so that the machine's drift hits both alike.

Both run all the time, and each round measures one after the other. What counts is the median of the
rounds' ratios. Nothing passes or fails on speed; a wrong answer does fail.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cluster.headings.load import run_in_own_process
from tests.bench.measure import Figures, measure
from tests.bench.peers.plans import ORDERS, W1, W2, Plan, details_of_the_newest
from tests.bench.slow_disk import slow_down
from tests.support.system import System

CONNECTIONS = (1, 64, 256)
SECONDS, ROUNDS = 3.0, 7
WARM_UP_S, WARM_UP_CONNECTIONS = 3.0, 16

Pair = tuple[Figures, Figures]
"""What one round gave: the first system, the second one."""
Systems = Callable[[ExitStack, Path, argparse.Namespace], dict[str, System]]
"""Returns two systems that have not been started, by name, for an empty folder."""

console = Console(highlight=False, width=110)
progress = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)


def compare(parser: argparse.ArgumentParser, systems: Systems) -> None:
    """Measure all rounds and show them; exit 1 where an answer was wrong."""
    asked = _arguments(parser)
    plans = (
        Plan(W1, asked.connections, ORDERS),
        *([] if asked.orders_only else [Plan(W2, (64,), details_of_the_newest)]),
    )
    with _prepared(asked) as (stack, folder):
        both = systems(stack, folder, asked)
        for name, system in both.items():
            _start(stack, name, system)
        found = _measured(both, plans, asked.rounds, asked.seconds)
    console.print(_table(tuple(both), found, asked))
    wrong = [error for pairs in found.values() for pair in pairs for f in pair for error in f.wrong]
    if wrong:
        progress.print(f"{len(wrong)} wrong answers, the first: {wrong[0]}")
        sys.exit(1)


def _arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    add = parser.add_argument
    add("--seconds", type=float, default=SECONDS, help="length of a measurement (%(default)s)")
    add("--rounds", type=int, default=ROUNDS, help="rounds of both (%(default)s)")
    add("--connections", type=_numbers, default=CONNECTIONS, help="of the orders (1,64,256)")
    add("--orders-only", action="store_true", help="no reads")
    add("--sync-ms", type=float, help="let every sync to disk take this much longer")
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


@contextmanager
def _prepared(asked: argparse.Namespace) -> Iterator[tuple[ExitStack, Path]]:
    with (
        # Here and not in /tmp, which may be memory: commits have to reach a disk.
        tempfile.TemporaryDirectory(prefix="siren-bench-", dir=Path.cwd()) as folder,
        ExitStack() as stack,
    ):
        if asked.sync_ms:
            slow_down(asked.sync_ms, Path(folder))
        yield stack, Path(folder)


def _start(stack: ExitStack, name: str, system: System) -> None:
    stack.callback(system.stop)
    progress.print(f"{name}: ready after {system.start():.1f} s")
    # Its answers do not count: HAProxy may reload once more, and cut connections, after a start.
    run_in_own_process(system.port, ORDERS(system.port), WARM_UP_CONNECTIONS, WARM_UP_S)


def _measured(
    systems: dict[str, System], plans: tuple[Plan, ...], rounds: int, seconds: float
) -> dict[tuple[str, int], list[Pair]]:
    found: dict[tuple[str, int], list[Pair]] = {}
    first, second = systems
    for number in range(rounds):
        # Who comes first takes turns, too: the disk is still busy with what was before.
        order = (first, second) if number % 2 else (second, first)
        for plan in plans:
            for connections in plan.connections:
                figures = {
                    name: _round(systems[name], plan, connections, seconds) for name in order
                }
                pair = (figures[first], figures[second])
                found.setdefault((plan.workload, connections), []).append(pair)
                rates = " and ".join(f"{figures.rate:,.0f}/s" for figures in pair)
                what = f"{plan.workload} at {connections}: {rates}"
                progress.print(f"round {number + 1} of {rounds}: {what}")
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


def _table(
    names: tuple[str, ...], found: dict[tuple[str, int], list[Pair]], asked: argparse.Namespace
) -> Table:
    first, second = names
    title = f"medians of {asked.rounds} rounds; ratios: {first} by {second}"
    if asked.sync_ms:
        title += f"; each sync takes {asked.sync_ms:g} ms longer"
    table = Table("workload", title=title)
    shown = ("connections", f"{first} /s", f"{second} /s", "ratio", "spread", "p50 ms")
    for column in (*shown, "ratio of p50", "of CPU"):
        table.add_column(column, justify="right")
    for (workload, connections), pairs in found.items():
        ratios = [one.rate / other.rate for one, other in pairs]
        p50 = (statistics.median(pair[side].p50 for pair in pairs) for side in (0, 1))
        table.add_row(
            workload,
            str(connections),
            *(f"{statistics.median(pair[side].rate for pair in pairs):,.0f}" for side in (0, 1)),
            f"{statistics.median(ratios):.3f}",
            f"{min(ratios):.2f}–{max(ratios):.2f}",
            ", ".join(f"{ms:.1f}" for ms in p50),
            f"{statistics.median(one.p50 / other.p50 for one, other in pairs):.3f}",
            f"{statistics.median(one.cpu_ms / other.cpu_ms for one, other in pairs):.3f}",
        )
    return table
