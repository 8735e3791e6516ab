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


def accepted_orders(system: System) -> set[str]:
    """Return the accepted orders of the command's customers, in this run and before."""
    ours = {row["order_id"] for row in system.sql("journal", OURS)}
    accepted = system.sql("journal", "SELECT order_id FROM events WHERE type = 'PickupStarted'")
    return ours & {row["order_id"] for row in accepted}


def write(system: System, service: str, statement: str, *parameters: object) -> None:
    path = system.data_dir / f"{service}.db"
    with closing(sqlite3.connect(path, timeout=10)) as database, database:
        database.execute(statement, parameters)


def test_what_is_wrong_with_an_order_is_found_and_named(system: System, tmp_path: Path) -> None:
    """A card token is put back by hand that had to be gone, and is taken away at the end."""
    file, known = tmp_path / "report.json", accepted_orders(system)
    put = "UPDATE order_private SET payment_token = ? WHERE order_id = ?"
    with begun(system, file, "--seconds", "10", *HARMLESS) as command:
        order_id = eventually(lambda: accepted_orders(system) - known, "one is accepted").pop()
        write(system, "journal", put, "tok_approve", order_id)
        out, _ = command.communicate()
    write(system, "journal", put, None, order_id)
    assert command.returncode == 1, out
    found = {(each["order_id"], each["code"]) for each in report_of(file)["violations"]}
    assert (order_id, "token_disagree") in found
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
