"""A journal whose write-ahead log was lost with the orders in it: it is no secret."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.outside import accepted, new_order, place, reaches, view
from tests.support.system import System, eventually

pytestmark = pytest.mark.timeout(500)


def test_a_journal_that_lost_its_log_is_named_and_new_orders_are_seen(tmp_path: Path) -> None:
    system = System(tmp_path / "data")
    system.start()
    lost = accepted(system)
    eventually(lambda: view(system, lost), "the view has it")
    system.kill_everything()
    (system.data_dir / "journal.db-wal").unlink()

    system.start()
    try:
        placed = [place(system, new_order(), key=uuid4().hex)["order_id"] for _ in range(4)]
        for order_id in placed:
            reaches(system, order_id, "ACCEPTED")
        eventually(lambda: view(system, lost) is None, "the view is the journal's")
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
