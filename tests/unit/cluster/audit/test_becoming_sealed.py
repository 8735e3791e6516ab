"""A journal from before seals becomes one that has them, while older code still writes to it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from actors.order.domain import commands as cmd
from actors.order.journal import Journal
from actors.settings import Settings
from cluster.audit import verify
from cluster.running.schemas import end_of_older_code
from tests.support.sealed import Sealed
from tests.support.services import InProcess

AS_VERSION_3 = (
    "ALTER TABLE events DROP COLUMN seal",
    "DROP TABLE seal_sums",
    "UPDATE meta SET value = '3' WHERE key = 'schema_version'",
)
COLUMNS = "position, order_id, version, type, schema_version, data, at, command_id"
NAMES = COLUMNS.split(", ")
INSERT = f"INSERT INTO events ({COLUMNS}) VALUES ({', '.join(f':{name}' for name in NAMES)})"
BEFORE, MEANWHILE, AFTER = 4, 8, 10
"""So many of the ten events older code has written by then."""


@pytest.fixture
async def sealed(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sealed:
    """On PostgreSQL: with SQLite the lock of the folder keeps older code away."""
    monkeypatch.setattr(verify, "PAUSE_S", 0)
    monkeypatch.setenv("SIREN_JOURNAL_URL", postgres_url)
    (tmp_path / "data").mkdir()
    system = Sealed(Settings(data_dir=tmp_path / "data"))
    await system.live()
    return system


class OlderCode:
    """Writes the events of two orders as code of version 3 does."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._rows: list[dict[str, Any]] = []

    async def begin(self) -> None:
        """Take the journal back to where that code has written the first events."""
        async with self._engine.begin() as connection:
            found = await connection.execute(
                text(f"SELECT {COLUMNS} FROM events ORDER BY position")
            )
            self._rows = [dict(row) for row in found.mappings()]
            await connection.execute(text("DELETE FROM events"))
            for statement in AS_VERSION_3:
                await connection.execute(text(statement))
            await connection.execute(text(INSERT), self._rows[:BEFORE])

    async def write(self, first: int, behind: int) -> None:
        """Write some events, each in a transaction that takes its time."""
        for row in self._rows[first:behind]:
            async with self._engine.begin() as connection:
                await connection.execute(text(INSERT), row)
                await asyncio.sleep(0.1)


async def test_older_code_writes_on_and_what_it_wrote_is_no_finding(sealed: Sealed) -> None:
    url = sealed.settings.url("journal")
    engine, journal = create_async_engine(url), Journal(url)
    older = OlderCode(engine)
    await older.begin()
    await asyncio.gather(journal.create(), older.write(BEFORE, MEANWHILE))
    await journal.close()
    await older.write(MEANWHILE, AFTER)
    await engine.dispose()
    assert await sealed.names(sealed.other, "event_unsealed", "version 5")
    await end_of_older_code(sealed.settings, {"journal": 4})  # that was no older code
    assert await sealed.names(sealed.other, "event_unsealed", "version 5")
    await end_of_older_code(sealed.settings, {"journal": 3})
    assert await sealed.found() == []

    async with InProcess(sealed.settings) as system:
        await system.do(sealed.mine, cmd.MarkReady)
        await system.settle()
    assert await sealed.found() == []
    await sealed.change("UPDATE events SET at = at + 1 WHERE order_id = :mine AND version = 2")
    assert await sealed.names(sealed.mine, "seal_broken", "one of versions 1 to 6")
