"""`make bench-peers`: Siren beside what could be used instead, and beside its ceilings, in one run.

Each round starts every server in turn, one at a time, on an empty folder, warms it up and measures
it, so that a noisy moment of the machine hits all alike. Nothing passes or fails on speed; a wrong
answer does fail.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from cluster.headings.load import run_in_own_process
from tests.bench.measure import measure
from tests.bench.peers import plans, servers
from tests.bench.peers.comparison import Comparison, tables, write_json
from tests.bench.peers.packages import python_with_packages
from tests.bench.peers.plans import Plan
from tests.bench.peers.servers import Open, Running
from tests.support.system import ROOT

SIREN, NOOP, PLAIN, DBOS_SQLITE, DBOS_POSTGRES = NAMES = (
    "siren",
    "noop",
    "plain",
    "dbos-sqlite",
    "dbos-postgres",
)
DISK = "disk"
PACKAGED = {
    PLAIN: servers.plain,
    DBOS_SQLITE: servers.dbos_on_sqlite,
    DBOS_POSTGRES: servers.dbos_on_postgres,
}
PLANS = {SIREN: plans.SIREN, NOOP: plans.CEILING, **dict.fromkeys(PACKAGED, plans.PEER)}
SECONDS, ROUNDS = 4.0, 3
WARM_UP_S, WARM_UP_CONNECTIONS = 2.0, 16
DISK_TIMEOUT_S = 120.0
WIDTH = 110

console = Console(highlight=False, width=WIDTH)
progress = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)


@dataclass(frozen=True)
class Bench:
    """What is measured, for how long, and what it gave."""

    seconds: float
    comparison: Comparison

    def skip(self, server: str, reason: object) -> None:
        """Say in one line why a server is not measured (any more)."""
        line = " ".join(str(reason).split()) or repr(reason)
        self.comparison.skipped[server] = line
        progress.print(f"{server}: not measured: {line}")


def main() -> None:
    """Run all rounds, print and write what they gave; exit 1 where an answer was wrong."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # ends servers, too
    asked = _arguments()
    names = [name for name in NAMES if name in asked.only]
    planned = [(n, p.workload, c) for n in names for p in PLANS[n] for c in p.connections]
    bench = Bench(asked.seconds, Comparison(planned))
    opening = _opening(bench, names)
    # Here and not in /tmp, which may be memory: commits have to reach a disk.
    with tempfile.TemporaryDirectory(prefix="siren-peers-", dir=Path.cwd()) as base:
        for number in range(asked.rounds):
            folder = Path(base) / str(number)
            for name in (name for name in opening if name not in bench.comparison.skipped):
                progress.print(f"round {number + 1} of {asked.rounds}: {name}")
                _measure_server(bench, name, opening[name], _made(folder / name))
            if DISK in asked.only:
                _measure_disk(bench, _made(folder / DISK))
    _show(bench.comparison, asked)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description=__doc__)
    add = parser.add_argument
    add("--seconds", type=float, default=SECONDS, help="length of a measurement (%(default)s)")
    add("--rounds", type=int, default=ROUNDS, help="rounds of all servers (%(default)s)")
    add(
        "--only",
        nargs="+",
        choices=(*NAMES, DISK),
        default=(*NAMES, DISK),
        metavar="NAME",
        help=f"some of {', '.join((*NAMES, DISK))}",
    )
    add("--output", type=Path, default=Path("bench"), help="folder of peers.json (%(default)s)")
    return parser.parse_args()


def _opening(bench: Bench, names: list[str]) -> dict[str, Open]:
    """Return how each server is started; the peers' packages are installed where they miss."""
    opening: dict[str, Open] = {SIREN: servers.siren, NOOP: servers.no_op}
    packaged = [name for name in names if name in PACKAGED]
    if packaged:
        try:
            python = python_with_packages(progress.print)
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            for name in packaged:
                bench.skip(name, error)
        else:
            opening |= {name: PACKAGED[name](python) for name in packaged}
    return {name: opening[name] for name in names if name in opening}


def _measure_server(bench: Bench, name: str, open_server: Open, folder: Path) -> None:
    with ExitStack() as stack:
        try:
            running = stack.enter_context(open_server(folder))
        except Exception as error:  # noqa: BLE001 - whatever a server lacks, the others go on
            bench.skip(name, error)
            return
        try:
            for plan in PLANS[name]:
                _measure_plan(bench, name, plan, running)
        except OSError as error:  # it takes no connections any more: it died under load
            bench.comparison.wrong.append(f"{name}: {error!r}")
            bench.skip(name, error)


def _measure_plan(bench: Bench, name: str, plan: Plan, running: Running) -> None:
    workload = plan.prepare(running.port)
    # Its answers do not count: HAProxy may reload once more, and cut connections, after a start.
    run_in_own_process(running.port, workload, WARM_UP_CONNECTIONS, WARM_UP_S)
    for connections in plan.connections:
        figures = measure(
            f"{name} {plan.workload}",
            running.port,
            workload,
            connections,
            running.processes,
            seconds=bench.seconds,
            rounds=1,
        )
        bench.comparison.add((name, plan.workload, connections), figures)


def _measure_disk(bench: Bench, folder: Path) -> None:
    command = [sys.executable, "-m", "tests.bench.peers.disk", "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--seconds", str(bench.seconds / 4)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=DISK_TIMEOUT_S,
    )
    if done.returncode:
        bench.skip(DISK, done.stderr[-300:])
    else:
        bench.comparison.disk.append(json.loads(done.stdout))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder.absolute()


def _show(comparison: Comparison, asked: argparse.Namespace) -> None:
    for table in tables(comparison, asked.rounds):
        console.print(table)
    path = write_json(comparison, asked.seconds, asked.rounds, asked.output)
    progress.print(f"written: {path}")
    if comparison.wrong:
        count = len(comparison.wrong)
        progress.print(f"{count} wrong answers, the first: {comparison.wrong[0]}")
        sys.exit(1)
    if SIREN in comparison.skipped:
        sys.exit(1)


if __name__ == "__main__":
    main()
