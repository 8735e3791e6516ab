"""What is done to events behind the system's back is found, and told by order and version."""

from pathlib import Path

import pytest

from actors.order.domain import commands as cmd
from actors.order.journal import Journal
from actors.settings import Settings
from cluster.audit import verify
from tests.support.backups import backup, restored
from tests.support.sealed import Sealed
from tests.support.services import InProcess

MINE = "WHERE order_id = :mine AND version = :version"
INSERT = "INSERT INTO events (order_id, version, type, schema_version, data, at, command_id"
FORGED = f"{INSERT}, seal) SELECT order_id, version + 1, type, schema_version, data, at, command_id"
COLUMNS = (
    "type = 'PickedUp'",
    "schema_version = 3",
    "data = data || ' '",
    "at = at + 1",
    "command_id = 'another'",
)


@pytest.fixture
async def sealed(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Sealed:
    monkeypatch.setattr(verify, "PAUSE_S", 0)
    if database_url.startswith("postgresql"):
        monkeypatch.setenv("SIREN_JOURNAL_URL", database_url)
    (tmp_path / "data").mkdir()
    system = Sealed(Settings(data_dir=tmp_path / "data"))
    await system.live()
    return system


async def test_whatever_is_altered_is_told_by_version(sealed: Sealed) -> None:
    assert await sealed.found() == []
    for column in COLUMNS:
        await sealed.change("CREATE TABLE kept AS SELECT * FROM events")
        await sealed.change(f"UPDATE events SET {column} {MINE}")
        assert await sealed.names(sealed.mine, "seal_broken", "version 2, ")
        await sealed.change(
            "DELETE FROM events", "INSERT INTO events SELECT * FROM kept", "DROP TABLE kept"
        )
    assert await sealed.found() == []


async def test_removed_ends_and_orders_are_told(sealed: Sealed) -> None:
    last = "(SELECT max(version) FROM events WHERE order_id = :mine)"
    await sealed.change(f"DELETE FROM events WHERE order_id = :mine AND version = {last}")
    assert await sealed.names(sealed.mine, "events_removed", "version 5 is gone")
    await sealed.change("DELETE FROM events WHERE order_id = :mine AND version > 2")
    assert await sealed.names(sealed.mine, "events_removed", "each of versions 3 to 5 is gone")
    await sealed.change("DELETE FROM events WHERE order_id = :mine")
    assert await sealed.names(sealed.mine, "events_removed", "each of versions 1 to 5 is gone")
    await sealed.change("DELETE FROM events WHERE order_id = :other")
    assert await sealed.names("journal", "events_removed", "10 sealed events")
    assert await sealed.names(sealed.other, "order_removed")


async def test_what_is_removed_from_the_middle_is_told(sealed: Sealed) -> None:
    await sealed.change(f"DELETE FROM events {MINE}", version=3)
    assert await sealed.names(sealed.mine, "events_removed", "version 3 is gone")
    assert await sealed.names(sealed.mine, "version_gap", "version 3 is missing")


async def test_a_restored_backup_is_proved_like_what_it_is_of(
    sealed: Sealed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await backup(sealed.settings, tmp_path / "backup")
    monkeypatch.delenv("SIREN_JOURNAL_URL", raising=False)
    sealed.settings = Settings(data_dir=tmp_path / "restored")
    await restored(tmp_path / "backup", sealed.settings)
    assert await sealed.found() == []
    await sealed.change(f"UPDATE events SET at = at + 1 {MINE}")
    assert await sealed.names(sealed.mine, "seal_broken", "version 2, ")
    await sealed.change("DELETE FROM events WHERE order_id = :other")
    assert await sealed.names(sealed.other, "events_removed", "each of versions 1 to 5 is gone")


async def test_a_seal_that_is_taken_away_hides_nothing(sealed: Sealed) -> None:
    await sealed.change(f"UPDATE events SET seal = NULL, at = at + 1 {MINE}", version=5)
    assert await sealed.names(sealed.mine, "events_removed", "version 5 is gone, or its seal")
    assert await sealed.names(sealed.mine, "event_unsealed", "version 5")
    journal = Journal(sealed.settings.url("journal"))
    await journal.create()  # as a start does
    await journal.close()
    assert await sealed.names(sealed.mine, "events_removed", "version 5 is gone, or its seal")


async def test_what_is_put_in_is_told(sealed: Sealed) -> None:
    behind = f"FROM events {MINE}"
    await sealed.change(f"{FORGED}, 77 {behind}", version=5)
    assert await sealed.names(sealed.mine, "seal_broken", "version 6")
    assert await sealed.names(sealed.mine, "events_added", "version 6 was never committed")
    await sealed.change("UPDATE events SET seal = NULL WHERE version = 6")
    assert await sealed.names(sealed.mine, "event_unsealed", "version 6")


async def test_events_that_are_swapped_are_told(sealed: Sealed) -> None:
    swap = "UPDATE events SET version = :to WHERE order_id = :mine AND version = :version"
    for version, to in ((2, 99), (3, 2), (99, 3)):
        await sealed.change(swap, version=version, to=to)
    assert await sealed.names(sealed.mine, "seal_broken", "version 2, ")
    assert await sealed.names(sealed.mine, "events_reordered", "version 3 ")
    await sealed.change(
        "UPDATE events SET order_id = :other, version = 6 WHERE order_id = :mine AND version = 5"
    )
    assert await sealed.names(sealed.other, "seal_broken", "version 6")


async def test_what_code_without_seals_wrote_is_covered_by_the_next_seal(sealed: Sealed) -> None:
    """As in a deploy back, and forward again."""
    await sealed.change("UPDATE events SET seal = NULL", "DELETE FROM seal_sums")
    async with InProcess(sealed.settings) as system:
        await system.do(sealed.mine, cmd.MarkReady)
        await system.settle()
    assert await sealed.found() == []
    await sealed.change(f"UPDATE events SET at = at + 1 {MINE}")
    assert await sealed.names(sealed.mine, "seal_broken", "one of versions 1 to 6")
