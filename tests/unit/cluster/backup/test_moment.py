"""All databases are backed up as they are at one moment, while orders go on."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from actors.contracts.errors import SirenError
from actors.runtime.database_faults import file_of
from actors.settings import Settings
from cluster.backup import moment
from tests.support.backups import audited, backup, placed, restored, rows, with_one_order
from tests.support.command import alone
from tests.support.in_process import in_process


async def test_databases_are_of_one_moment_while_orders_are_placed(
    old: Settings, new: Settings, folder: Path
) -> None:
    acknowledged: list[str] = []
    enough = asyncio.Event()
    async with in_process(old) as siren:

        async def keep_ordering(customer: str) -> None:
            while True:
                acknowledged.append(await placed(siren, customer))
                if len(acknowledged) == 20:
                    enough.set()

        crowd = [asyncio.create_task(keep_ordering(f"c-{n}")) for n in range(8)]
        await enough.wait()
        before = set(acknowledged)
        command = await asyncio.to_thread(alone, "backup", str(folder), data=old.data_dir)
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
    assert command.returncode == 0, command.stderr
    assert len(acknowledged) > len(before)
    await restored(folder, new)
    assert await audited(new) == set()
    assert before <= {row[1] for row in rows(new, "journal", "events")}


async def test_who_keeps_a_database_locked_is_waited_for_while_orders_go_on(
    old: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moment, "LOCK_S", 0.01)
    monkeypatch.setattr(moment, "TRIES", 2)
    await with_one_order(old)
    stores = file_of(old.url("stores"))
    with closing(sqlite3.connect(str(stores), isolation_level=None)) as busy:
        busy.execute("BEGIN IMMEDIATE")
        with pytest.raises(SirenError, match="has been written to by somebody else all the time"):
            await backup(old, folder)
        with closing(sqlite3.connect(old.data_dir / "journal.db", timeout=0)) as journal:
            journal.execute("BEGIN IMMEDIATE")  # nobody holds it any more
    await backup(old, folder)
