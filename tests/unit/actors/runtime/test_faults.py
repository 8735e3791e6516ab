"""What a database refuses is logged once a minute, and told to whoever asks for it."""

import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from actors.contracts.errors import Unavailable
from actors.payment.tables import metadata, payments
from actors.runtime import database_faults
from actors.runtime.database import Database
from actors.runtime.faults import CAUSES, Faults
from actors.runtime.unwritable import why_unwritable

ROW = {"status": "PENDING", "attempts": 1, "refused": False, "created_at": 1}


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_fault_is_logged_once_a_minute_for_each_database(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Seconds()
    faults = Faults(clock)
    for _ in range(100):
        faults.note("payments.db", "database or disk is full")
    faults.note("provider.db", "database or disk is full")
    clock.now += 61
    faults.note("payments.db", "database or disk is full")
    assert [record.getMessage() for record in caplog.records] == [
        "payments.db: database or disk is full",
        "provider.db: database or disk is full",
        "payments.db: database or disk is full (99 times more since this was logged last)",
    ]


def test_another_cause_is_logged_at_once_but_not_one_after_the_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults = Faults(Seconds())
    for cause in ("database is locked", "database or disk is full", "database is locked"):
        faults.note("payments.db", cause)
    assert [record.getMessage() for record in caplog.records] == [
        "payments.db: database is locked",
        "payments.db: database or disk is full",
    ]
    for number in range(100):
        faults.note("payments.db", f"connection {number} was closed")
    assert len(caplog.records) == CAUSES


def test_the_last_fault_is_told_with_its_age() -> None:
    clock = Seconds()
    faults = Faults(clock)
    assert faults.last() is None
    faults.note("payments.db", "database is locked")
    faults.note("provider.db", "database or disk is full")
    clock.now += 12
    assert faults.last() == "provider.db: database or disk is full (12 s ago)"


async def test_every_database_notes_what_it_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults()
    monkeypatch.setattr(database_faults, "FAULTS", faults)
    nowhere = Database(f"sqlite+aiosqlite:///{tmp_path}/absent/payments.db", metadata)
    with pytest.raises(Unavailable):
        await nowhere.create_tables()
    assert (faults.last() or "").startswith("payments.db: unable to open database file")


async def test_why_a_file_takes_no_write_is_told_where_sqlite_does_not_say_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults()
    monkeypatch.setattr(database_faults, "FAULTS", faults)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/payments.db", metadata)
    await database.create_tables()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(Unavailable, match="disk I/O error: file too large"):
            await _written(database)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (faults.last() or "").startswith("payments.db: disk I/O error: file too large")
    await _written(database)
    await database.close()


async def _written(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(payments.insert(), ROW | {"order_id": uuid4().hex})


LEAVE_WAL = """
import sqlite3, sys
print(sqlite3.connect(sys.argv[1], timeout=0).execute("PRAGMA journal_mode=DELETE").fetchone())
"""


def test_who_looks_why_takes_no_lock_away_from_sqlite(tmp_path: Path) -> None:
    file = tmp_path / "payments.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE payments (order_id TEXT)")
        assert why_unwritable(file) is None
        alone = [sys.executable, "-c", LEAVE_WAL, str(file)]
        other = subprocess.run(alone, capture_output=True, text=True, check=False)
    assert "database is locked" in other.stderr
    assert why_unwritable(tmp_path / "absent" / "payments.db") == "no such file or directory"
