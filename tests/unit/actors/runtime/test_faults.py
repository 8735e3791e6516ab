"""What a database refuses is logged once a minute, and told to whoever asks for it."""

from pathlib import Path

import pytest

from actors.contracts.errors import Unavailable
from actors.payment.tables import metadata
from actors.runtime import database_faults
from actors.runtime.database import Database
from actors.runtime.faults import Faults


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
