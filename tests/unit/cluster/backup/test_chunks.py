"""A backup into the same folder again writes what is new or changed, and loses nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from actors.settings import Settings
from cluster.audit.databases import METADATA
from cluster.backup import chunks, manifest
from cluster.backup.taking import Taken
from readmodel.tables import LIVE
from tests.support.backups import audited, backup, names_in, placed, restored, rows
from tests.support.in_process import in_process

TABLES = ("events", "order_keys", "order_private", "payments", "charges", "tickets", LIVE)


def chunks_of(taken: Taken, table: str) -> list[str]:
    found = [t[table] for t in taken.manifest.tables.values() if table in t]
    return [chunk.file for chunk in found[0].chunks]


async def test_a_second_backup_writes_what_is_new_and_what_changed(
    old: Settings, new: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ROWS", 5)
    async with in_process(old) as siren:
        order_ids = [await placed(siren) for _ in range(12)]
        first = await backup(old, folder)
        again = await backup(old, folder)
        assert again.written <= len(METADATA)  # the last, open ones of the events alone
        order_ids.append(await placed(siren))
        await siren.start(order_ids[0])
        second = await backup(old, folder)
    for table in TABLES:
        before, after = chunks_of(first, table), chunks_of(second, table)
        whole = before[1:-1]  # the first has the order that was begun to be made
        assert after[1 : len(before) - 1] == whole, table
    assert 0 < second.written < second.files / 2
    await restored(folder, new)
    assert await audited(new) == set()
    for service, table in (("journal", "events"), ("stores", "tickets"), ("readmodel", LIVE)):
        name: Any = service
        assert rows(old, name, table) == rows(new, name, table)
    names = names_in(folder)
    assert names == second.manifest.files() | {manifest.NAME, manifest.LOCK}


async def test_rows_that_come_in_between_lengthen_a_chunk_and_lose_nothing(
    old: Settings, new: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ROWS", 4)
    async with in_process(old) as siren:
        for _ in range(12):
            await placed(siren)
        await backup(old, folder)
    with closing(sqlite3.connect(old.data_dir / "payments.db")) as database, database:
        ids = [row[0] for row in database.execute("SELECT order_id FROM payments ORDER BY 1")]
        copy = "INSERT INTO payments SELECT ?, NULL, 1, 'KRW', 'DECLINED', 1, 0, 1, NULL, NULL"
        for n in range(9):
            database.execute(copy, (f"{ids[5]}-{n}",))
        database.execute("DELETE FROM payments WHERE order_id = ?", (ids[7],))
    for _ in range(2):
        await backup(old, folder)
    await restored(folder, new)
    assert len(rows(new, "payments", "payments")) == 20
    assert rows(old, "payments", "payments") == rows(new, "payments", "payments")


async def test_a_journal_that_was_set_back_is_backed_up_as_it_is(
    tmp_path: Path, old: Settings, new: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ROWS", 4)
    async with in_process(old) as siren:
        await placed(siren)
        await backup(old, tmp_path / "early")
        for _ in range(4):
            await placed(siren)
        await backup(old, folder)
    back = Settings(data_dir=tmp_path / "back")
    await restored(tmp_path / "early", back)
    async with in_process(back) as siren:
        for _ in range(6):
            await placed(siren)
        await backup(back, folder)
    await restored(folder, new)
    assert rows(new, "journal", "events") == rows(back, "journal", "events")


def test_all_columns_hold_what_a_line_of_json_can() -> None:
    columns = [c for each in METADATA.values() for table in each.sorted_tables for c in table.c]
    assert {column.type.python_type for column in columns} == {str, int, bool}
