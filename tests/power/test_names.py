"""Files that are made, renamed or taken away: a power cut may undo that until names are synced."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table

from actors.settings import Settings
from cluster.backup.loading import FileLoader
from cluster.running.data_folder import DataFolder
from cluster.running.token_secret import make_secret
from readmodel.new_file import fold_into_new_file
from tests.support.services import InProcess

Step = tuple[str, str]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """What was done to names, and which folders were synced; in their order, by name."""
    found: list[Step] = []

    def note(name: str, place: Callable[..., object]) -> None:
        original = getattr(os, name)

        def noting(*given: Any, **options: Any) -> Any:
            path = place(*given)
            result = original(*given, **options)
            found.append((name, Path(str(path)).name))
            return result

        monkeypatch.setattr(os, name, noting)

    note("fsync", lambda descriptor: Path(f"/proc/self/fd/{descriptor}").readlink())
    note("rename", lambda _old, new: new)
    note("unlink", lambda path, **_: path)
    note("mkdir", lambda path, *_: path)
    return found


def test_the_token_secret_has_its_name_before_anybody_gets_a_token(
    tmp_path: Path, steps: list[Step]
) -> None:
    make_secret(Settings(data_dir=tmp_path))
    assert steps[-3:] == [
        ("fsync", "token.new"),
        ("rename", "token.secret"),
        ("fsync", tmp_path.name),
    ]


def test_a_new_data_folder_has_its_name_before_anything_is_in_it(
    tmp_path: Path, steps: list[Step]
) -> None:
    with DataFolder(tmp_path / "new" / "data"):
        assert steps.index(("fsync", "new")) > steps.index(("mkdir", "data"))
        assert steps.index(("fsync", tmp_path.name)) > steps.index(("mkdir", "new"))


async def test_the_log_of_a_database_that_was_taken_away_is_gone_before_another_is_restored(
    tmp_path: Path, steps: list[Step]
) -> None:
    metadata = MetaData()
    table = Table("counter", metadata, Column("count", Integer))
    (tmp_path / "a.db-wal").write_bytes(b"log")
    with FileLoader(tmp_path / "a.db", metadata) as loader:
        await loader.create(table)
        await loader.publish()
    assert in_turn(steps, ("unlink", "a.db-wal"), ("rename", "a.db")) == ("fsync", tmp_path.name)
    assert steps[steps.index(("rename", "a.db")) + 1] == ("fsync", tmp_path.name)


async def test_the_log_of_a_view_that_is_set_aside_is_gone_before_another_takes_its_place(
    tmp_path: Path, steps: list[Step]
) -> None:
    async with InProcess(Settings(data_dir=tmp_path)) as system:
        url, file = system.settings.url("readmodel"), tmp_path / "readmodel.db"
        await fold_into_new_file(system.journal, url, file, lambda *_: None)
    renamed = [step for step in steps if step[0] == "rename"]
    assert renamed[-1] == ("rename", "readmodel.db")
    assert in_turn(steps, renamed[-2], renamed[-1]) == ("fsync", tmp_path.name)


def in_turn(steps: list[Step], first: Step, second: Step) -> Step:
    """Return the last step before the second of two that follow one another."""
    assert steps.index(first) < steps.index(second)
    return steps[steps.index(second) - 1]
