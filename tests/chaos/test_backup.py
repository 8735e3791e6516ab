"""The drill: a backup under load, the machine is lost, another goes on, and nobody pays twice."""

import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support.outside import Detail, new_order, place
from tests.support.system import System

pytestmark = pytest.mark.timeout(500)

CUSTOMERS = 4


class Crowd:
    """Customers who order, one after the other, until they are called off."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._order) for _ in range(CUSTOMERS)]
        self.acknowledged: dict[str, tuple[dict[str, Any], Detail]] = {}
        """Order and answer, by the key."""
        for thread in self._threads:
            thread.start()

    def _order(self) -> None:
        while not self._over.is_set():
            key, order = uuid4().hex, new_order()
            self.acknowledged[key] = order, place(self._system, order, key=key)

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def live_charges(folder: Path) -> list[str]:
    """Return which idempotency keys' orders the provider holds a live charge of."""
    with closing(sqlite3.connect(folder / "provider.db")) as database:
        keys = database.execute("SELECT key FROM charges WHERE status = 'APPROVED'").fetchall()
    return sorted(key.partition(":")[0][-24:] for (key,) in keys)


def test_a_restored_system_has_what_was_acknowledged_and_nobody_pays_twice(tmp_path: Path) -> None:
    old = System(tmp_path / "old")
    old.start()
    crowd = Crowd(old)
    backup = tmp_path / "backup"
    try:
        assert old.siren("backup", str(backup)).returncode == 0
        before = dict(crowd.acknowledged)
        taken = old.siren("backup", str(backup))
        assert taken.returncode == 0, taken.stderr
    finally:
        crowd.end()
        old.kill_everything()
    assert len(before) > CUSTOMERS
    assert len(crowd.acknowledged) > len(before)

    new = System(tmp_path / "new")
    new.data_dir.mkdir()
    for part in old.data_dir.glob("provider.db*"):  # a third party's, and not lost
        shutil.copy(part, new.data_dir)
    restored = new.siren("restore", str(backup))
    assert restored.returncode == 0, restored.stderr
    assert "the provider's books were there" in restored.stdout
    refunded = new.siren("refund-lost", "--yes")
    assert refunded.returncode == 0, refunded.stderr
    new.start()
    try:
        for key, (order, detail) in before.items():
            assert place(new, order, key=key)["order_id"] == detail["order_id"]
        again = [place(new, order, key=key) for key, (order, _) in crowd.acknowledged.items()]
        assert {each["order_status"] for each in again} == {"ACCEPTED"}
        audit = new.siren("verify")
        assert audit.returncode == 0, audit.stdout
    finally:
        new.stop()
    assert live_charges(new.data_dir) == sorted(each["order_id"][-24:] for each in again)
