"""`siren chaos` for ten minutes, on SQLite and on PostgreSQL: nothing acknowledged is lost."""

from pathlib import Path

import pytest

from tests.support.chaos import is_whole, report_of
from tests.support.system import System

pytestmark = pytest.mark.timeout(2400)
SECONDS = 600
LEAST_FAULTS = 150
LEAST_KINDS = 20


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_ten_minutes_of_faults_lose_nothing(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings: dict[str, object] = {}
    if database == "postgres":
        settings["database_url"] = request.getfixturevalue("postgres_url")
    system, file = System(tmp_path / "data", **settings), tmp_path / "report.json"
    try:
        system.start()
        options = ("--seconds", str(SECONDS), "--seed", "1", "--json", str(file))
        run = system.siren("chaos", "--yes", *options, within=SECONDS + 600)
        print(run.stdout[-3000:])
        assert run.returncode == 0, run.stdout + run.stderr
    finally:
        system.stop()
    report = report_of(file)
    assert is_whole(report), report
    assert len(report["faults"]) >= LEAST_FAULTS
    assert len({fault["kind"] for fault in report["faults"]}) >= LEAST_KINDS
