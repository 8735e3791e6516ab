"""`make bench-growth`: what a long history and many live orders cost.

Nothing here passes or fails on speed; a wrong answer does fail.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from tests.bench.growth import parts
from tests.bench.growth.figures import Figure, save, table_of
from tests.bench.growth.folder import refuse_without_room

console = Console()

PARTS: dict[str, Callable[[parts.Run], list[Figure]]] = {
    "disk": parts.disk,
    "memory": parts.memory,
    "recovery": parts.recovery,
    "rebuild": parts.rebuild,
    "w1": parts.throughput,
    "hosts": parts.order_hosts,
}


def main() -> None:
    """Measure all that was asked for, print it and save it; exit 1 where an answer was wrong."""
    given = _options().parse_args()
    refuse_without_room(Path.cwd(), given.orders + 4 * given.live + given.rebuild_orders)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="siren-growth-", dir=Path.cwd()) as scratch:
        run = parts.Run(
            orders=given.orders,
            live=given.live,
            seconds=given.seconds,
            rounds=given.rounds,
            rebuild_orders=given.rebuild_orders,
            scratch=Path(scratch),
            kept=given.keep,
        )
        for name in given.only or PARTS:
            for figure in _measured(name, run):
                console.print(f"{figure.name}: {figure.text} {figure.verdict}")
                figures.append(figure)
            save(figures, vars(given), given.output / "growth.json")
    console.print(table_of(figures))
    if run.wrong:
        console.print(f"[red]{len(run.wrong)} wrong answers, the first:[/red] {run.wrong[0]}")
        sys.exit(1)


def _measured(name: str, run: parts.Run) -> list[Figure]:
    try:
        return PARTS[name](run)
    except TimeoutError:
        return [Figure(name, None, "", note="it did not come to an end in time")]


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.growth",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--orders", type=int, default=2_000_000, help="finished orders of the history")
    add("--live", type=int, default=100_000, help="orders that are open or in memory")
    add("--rebuild-orders", type=int, default=200_000, help="orders of the rebuild's history")
    add("--seconds", type=float, default=5.0, help="seconds of load a round")
    add("--rounds", type=int, default=3, help="rounds of load, of which the median counts")
    add("--only", nargs="+", choices=PARTS, help="measure these parts alone")
    add("--output", type=Path, default=Path("bench"), help="folder of growth.json")
    add("--keep", type=Path, metavar="FOLDER", help="make the history here, or take it from here")
    return parser


if __name__ == "__main__":
    main()
