"""A backup of the journal alone is put back, or its write-ahead log is lost: it is no secret."""

import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from tests.outside import accepted, new_order, place, reaches, view
from tests.system import System, eventually

pytestmark = pytest.mark.timeout(500)


@pytest.mark.parametrize("with_wal", [True, False])
def test_a_journal_that_was_set_back_is_named_and_new_orders_are_seen(
    tmp_path: Path,
    with_wal: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    system = System(tmp_path / "data")
    system.start()
    kept = accepted(system)
    parts = ["journal.db", "journal.db-wal"] if with_wal else ["journal.db"]
    for part in parts:
        shutil.copy(system.data_dir / part, tmp_path / part)
    lost = accepted(system)
    eventually(lambda: view(system, lost), "the view has it")
    system.kill_everything()
    for present in system.data_dir.glob("journal.db*"):
        present.unlink()
    for part in parts:
        shutil.copy(tmp_path / part, system.data_dir / part)

    system.start()
    try:
        placed = [place(system, new_order(), key=uuid4().hex)["order_id"] for _ in range(4)]
        for order_id in placed:
            reaches(system, order_id, "ACCEPTED")
        eventually(lambda: view(system, lost) is None, "the view is the journal's")
        if with_wal:
            reaches(system, kept, "ACCEPTED")
        status = system.siren("status").stdout
        assert "payments without an order in the journal" in status
        assert lost in status
        audit = system.siren("verify")
        assert audit.returncode == 1
        assert f"{lost}  payment_without_order" in audit.stdout
        assert f"{lost}  ticket_without_order" in audit.stdout
        assert not any(order_id in audit.stdout for order_id in placed)
    finally:
        system.stop()
