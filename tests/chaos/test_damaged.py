"""Files that come to harm under the real system: it says which, and goes on with the others."""

from pathlib import Path

import pytest

from tests.support.damage import zero_leaf
from tests.support.outside import accepted, reaches, view
from tests.support.system import System, eventually

pytestmark = pytest.mark.timeout(500)


def test_a_damaged_page_is_named_and_the_rest_is_served_to_who_wants_it(tmp_path: Path) -> None:
    system = System(tmp_path / "data")
    system.start()
    orders = [accepted(system) for _ in range(12)]
    system.kill_everything()
    journal = system.data_dir / "journal.db"
    zero_leaf(journal, "events")
    refused = system.siren("up")
    assert refused.returncode == 1
    assert f"{journal} is damaged: " in refused.stderr.replace("\n", "")
    system.started_at, system.options = "/healthz", ("--despite-damage",)
    system.start()
    try:
        eventually(lambda: system.http.get("/readyz").status_code == 503, "it is not ready")
        assert "database:journal" in system.http.get("/readyz").json()["missing"]
        answers = {order_id: system.http.get(f"/orders/{order_id}") for order_id in orders}
        statuses = {answer.status_code for answer in answers.values()}
        assert statuses == {200, 503}
        lost = [order_id for order_id, answer in answers.items() if answer.status_code == 503]
        problem = answers[lost[0]].json()
        assert problem["code"] == "database_damaged"
        assert str(system.data_dir) not in answers[lost[0]].text
        for order_id in orders:
            assert view(system, order_id) is not None
        assert "DAMAGED: journal.db" in system.siren("status").stdout
        assert f"{journal} IS DAMAGED" in system.log.read_text().replace("\n", "")
        audit = system.siren("verify")
        assert audit.returncode == 1
        for order_id in lost:
            assert f"{order_id}  unreadable: cannot be read: journal.db, events" in audit.stdout
    finally:
        system.stop()


def test_a_view_deleted_under_the_running_system_is_folded_anew(system: System) -> None:
    before = accepted(system)
    eventually(lambda: view(system, before), "the view has it")
    for file in system.data_dir.glob("readmodel.db*"):
        file.unlink()
    after = accepted(system)
    for order_id in (before, after):
        reaches(system, order_id, "ACCEPTED")
    assert (system.data_dir / "readmodel.db").exists()
    eventually(lambda: system.http.get("/readyz").status_code == 200, "it is ready")
