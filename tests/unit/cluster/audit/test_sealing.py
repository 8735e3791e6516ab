"""What is done to events behind the system's back is found, and told by order and version."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, text
from typer.testing import CliRunner

from actors.order.domain import commands as cmd
from actors.order.journal import Journal
from actors.runtime.database import Database
from actors.settings import Settings
from cluster.audit import verify
from cluster.cli import app
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


class Sealed:
    """Two orders of five events each, in a system that has ended."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.mine = self.other = ""

    async def live(self) -> None:
        async with InProcess(self.settings) as system:
            self.mine, self.other = await system.place(), await system.place()
            for order_id in (self.mine, self.other):
                await system.do(order_id, cmd.StartPreparation)
            await system.settle()

    async def change(self, *statements: str, **values: Any) -> None:
        database = Database(self.settings.url("journal"), MetaData())
        given = {"mine": self.mine, "other": self.other, "version": 2, **values}
        for statement in statements:
            query = text(statement)
            async with database.write() as connection:
                await connection.execute(
                    query, {name: given[name] for name in query.compile().params}
                )
        await database.close()

    async def found(self) -> list[str]:
        """Return the lines of the violations."""
        data = ["--data", str(self.settings.data_dir)]
        result = await asyncio.to_thread(CliRunner().invoke, app, ["verify", *data])
        assert result.exit_code in (0, 1), result.output
        lines = [line for line in result.stdout.splitlines() if "  " in line]
        assert (result.exit_code == 1) == bool(lines), result.output
        return lines

    async def names(self, order_id: str, code: str, words: str = "") -> bool:
        found = await self.found()
        told = [
            line for line in found if line.startswith(f"{order_id}  {code}: ") and words in line
        ]
        assert told, found
        return True


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
