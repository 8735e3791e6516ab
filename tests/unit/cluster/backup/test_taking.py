"""A backup is whole or none, is its user's alone, and has nobody who was forgotten."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from actors.contracts.errors import SirenError
from actors.settings import Settings
from cluster.backup import chunks, manifest
from cluster.backup.folder import claimed
from cluster.backup.restoring import check
from cluster.backup.taking import Taken
from cluster.operations.forget import forget
from readmodel.tables import LIVE
from tests.support.backups import (
    NAME,
    audited,
    backup,
    names_in,
    placed,
    quiet,
    restored,
    rows,
    with_one_order,
)
from tests.support.damage import zero_header
from tests.support.files import found
from tests.support.in_process import in_process


def lines(folder: Path, taken: Taken) -> str:
    return "".join(manifest.lines_of(folder, chunk).decode() for chunk in taken.manifest.chunks())


def on_full_disk(path: Path, content: bytes) -> None:
    if path.name.startswith("charges"):
        raise OSError(28, "No space left on device")
    manifest.write_file(path, content)


async def test_who_was_forgotten_leaves_a_folder_with_its_next_backup(
    old: Settings, folder: Path
) -> None:
    async with in_process(old) as siren:
        await placed(siren)
        await placed(siren, "c-2")
        taken = await backup(old, folder)
        assert NAME in lines(folder, taken)
        await forget(siren, "c-1", quiet)
        await forget(siren, "c-2", quiet)
        taken = await backup(old, folder)
    assert NAME not in lines(folder, taken)
    assert names_in(folder, "*.gz") <= taken.manifest.files()


async def test_a_backup_that_fails_leaves_the_one_before_it_whole(
    old: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with in_process(old) as siren:
        await placed(siren)
        taken = await backup(old, folder)
        await placed(siren)
        monkeypatch.setattr(chunks, "write_file", on_full_disk)
        with pytest.raises(SirenError, match="No space left on device; the one before it is whole"):
            await backup(old, folder)
    assert check(folder, quiet) == manifest.read(folder)
    names = names_in(folder)
    assert names == taken.manifest.files() | {manifest.NAME, manifest.LOCK}


async def test_a_first_backup_that_fails_is_none(
    old: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with in_process(old) as siren:
        await placed(siren)
        with monkeypatch.context() as patch:
            patch.setattr(chunks, "write_file", on_full_disk)
            with pytest.raises(SirenError, match="cannot write the backup"):
                await backup(old, folder)
        with pytest.raises(SirenError, match="holds no whole backup"):
            check(folder, quiet)
        await backup(old, folder)
    check(folder, quiet)


async def test_what_a_killed_backup_left_goes_with_the_next_one(
    old: Settings, folder: Path
) -> None:
    async with in_process(old) as siren:
        await placed(siren)
        await backup(old, folder)
        for name in ("events-0.jsonl.gz", "token-0.secret", "manifest.json.new"):
            (folder / name).write_text("half")
        check(folder, quiet)
        taken = await backup(old, folder)
    names = names_in(folder)
    assert names == taken.manifest.files() | {manifest.NAME, manifest.LOCK}


async def test_two_backups_do_not_write_into_one_folder(old: Settings, folder: Path) -> None:
    async with in_process(old) as siren:
        await placed(siren)
        with (
            claimed(folder),
            pytest.raises(SirenError, match=r"another backup into .* is under way"),
        ):
            await backup(old, folder)


async def test_a_view_that_cannot_be_read_is_left_out_and_folded_anew(
    old: Settings, new: Settings, folder: Path
) -> None:
    await with_one_order(old)
    zero_header(old.data_dir / "readmodel.db")
    taken = await backup(old, folder)
    assert "readmodel" not in taken.manifest.tables
    await restored(folder, new)
    assert await audited(new) == set()
    assert len(rows(new, "readmodel", LIVE)) == 1


async def test_only_its_user_can_read_a_backup(tmp_path: Path, old: Settings) -> None:
    async with in_process(old) as siren:
        await placed(siren)
        (tmp_path / "backup").mkdir(mode=0o755)
        await backup(old, tmp_path / "backup")
    for path in (tmp_path / "backup", *(tmp_path / "backup").iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path
    assert found(tmp_path / "backup", NAME) == set()  # compressed, not encrypted


async def test_a_folder_with_anything_else_is_no_place_for_a_backup(
    tmp_path: Path, old: Settings, folder: Path
) -> None:
    async with in_process(old) as siren:
        await placed(siren)
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos" / "cat.jpg").touch()
        with pytest.raises(SirenError, match=r"has cat\.jpg in it, which is no backup's"):
            await backup(old, tmp_path / "photos")
        with pytest.raises(SirenError, match="cannot write the backup"):
            await backup(old, tmp_path / "photos" / "cat.jpg")
        await backup(old, folder)
    with closing(sqlite3.connect(old.data_dir / "journal.db")) as journal, journal:
        journal.execute("UPDATE meta SET value = 'other' WHERE key = 'secret'")
    with pytest.raises(SirenError, match="has the backup of another installation, taken at"):
        await backup(old, folder)
