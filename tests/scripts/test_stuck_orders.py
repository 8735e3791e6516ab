"""One order whose events cannot be folded, beside good ones, on the real system."""

import sqlite3
from contextlib import closing

from tests.support.outside import accepted, reaches, view
from tests.support.system import System, eventually

POISON = """INSERT INTO events (order_id, version, type, schema_version, data, at, command_id)
    VALUES (?, 5, 'PreparationStarted', 2, '{', 0, '')"""


def change(system: System, statement: str, order_id: str) -> None:
    """Change the journal as no code of ours would, while it is in use."""
    journal = sqlite3.connect(system.data_dir / "journal.db", timeout=30)
    with closing(journal), journal:
        assert journal.execute(statement, [order_id]).rowcount == 1


def test_a_poisoned_order_is_listed_and_goes_on_once_mended_and_no_other_notices(
    system: System,
) -> None:
    bad, before = accepted(system), accepted(system)
    change(system, POISON, bad)
    try:
        after = accepted(system)
        for order_id in (before, after):
            reaches(system, order_id, "ACCEPTED")
        assert (view(system, bad) or {})["version"] == 4, "its last good row"
        eventually(lambda: bad in system.siren("orders", "--stuck").stdout, "it is listed")
        told = system.siren("orders", "retry", bad)
        assert told.returncode == 1, told.stdout
        assert "version 5" in told.stdout + told.stderr
    finally:
        change(system, "DELETE FROM events WHERE order_id = ? AND version = 5", bad)
    mended = system.siren("orders", "retry", bad)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert system.siren("orders", "--stuck").returncode == 0
    live = system.siren("orders", "--store", "gangnam", "--limit", "1000").stdout
    assert bad in live
    assert "order-host:" in live
    canceled = system.siren("orders", "cancel", bad)
    assert canceled.returncode == 0, canceled.stderr
    reaches(system, bad, "CANCELED")
    assert "by owner" in system.siren("explain", bad).stdout
