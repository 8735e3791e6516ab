"""`siren chaos` finds what is wrong, and leaves nothing stopped, however it is ended."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.chaos import is_whole, report_of, stopped
from tests.support.outside import accepted
from tests.support.system import System, eventually

pytestmark = pytest.mark.timeout(300)
HARMLESS = ("--faults", "lock-readmodel")
OURS = "SELECT order_id, data FROM events WHERE type = 'OrderPlaced' AND data LIKE '%\"chaos-%'"


@contextmanager
def begun(system: System, file: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command while the block lasts, at least until it has had an order accepted."""
    words = [sys.executable, "-m", "cluster.cli", "chaos", "--data", str(system.data_dir)]
    with subprocess.Popen(
        [*words, "--yes", "--rate", "5", "--json", str(file), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as command:
        try:
            yield command
        finally:
            command.kill()


def new_tickets(system: System, known: set[str]) -> list[str]:
    """Return the orders of the command's customers that have a ticket, but for those known."""
    tickets = {row["order_id"] for row in system.sql("stores", "SELECT order_id FROM tickets")}
    ours = {row["order_id"] for row in system.sql("journal", OURS)}
    return sorted((tickets & ours) - known)


def write(system: System, service: str, statement: str, *parameters: object) -> None:
    path = system.data_dir / f"{service}.db"
    with closing(sqlite3.connect(path, timeout=10)) as database, database:
        database.execute(statement, parameters)


def test_a_ticket_that_goes_missing_is_found(system: System, tmp_path: Path) -> None:
    file, known = tmp_path / "report.json", set(new_tickets(system, set()))
    with begun(system, file, "--seconds", "10", *HARMLESS) as command:
        order_id = eventually(lambda: new_tickets(system, known), "an order has a ticket")[0]
        moved = "UPDATE tickets SET order_id = ? WHERE order_id = ?"
        write(system, "stores", moved, f"{order_id}-gone", order_id)
        out, _ = command.communicate()
    write(system, "stores", moved, order_id, f"{order_id}-gone")
    assert command.returncode == 1, out
    found = {(each["order_id"], each["code"]) for each in report_of(file)["violations"]}
    assert (order_id, "tickets_disagree") in found
    assert order_id in out


def test_the_first_interruption_ends_the_faults_and_everything_is_checked(
    system: System, tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    with begun(system, file, "--seconds", "600", "--faults", "stop") as command:
        eventually(lambda: stopped(system), "something is stopped")
        command.send_signal(signal.SIGINT)
        out, _ = command.communicate()
    assert command.returncode == 0, out
    assert stopped(system) == []
    report = report_of(file)
    assert report["interrupted"]
    assert is_whole(report), report


def test_what_it_had_stopped_goes_on_where_it_is_killed(system: System, tmp_path: Path) -> None:
    with begun(system, tmp_path / "report.json", "--seconds", "600", "--faults", "stop") as command:
        eventually(lambda: stopped(system), "something is stopped")
        command.kill()
    eventually(lambda: not stopped(system), "nothing is stopped any more")
    accepted(system)
