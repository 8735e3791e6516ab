"""A write-ahead log that a crash has torn is taken; one that has lost commits is refused."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cluster.running.lost_logs import HEADER, log_of, lost_log

FRAME = 24 + 4096
COMMITS = 8


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """A database as a killed process left it: of its commits all but the table are in the log."""
    source = tmp_path / "running.db"
    with closing(sqlite3.connect(source, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE events (position INTEGER PRIMARY KEY, data BLOB)")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for _ in range(COMMITS):
            database.execute("INSERT INTO events (data) VALUES (randomblob(10000))")
        for end in ("", "-wal"):
            shutil.copy(f"{source}{end}", tmp_path / f"crashed.db{end}")
    return tmp_path / "crashed.db"


def overwrite(file: Path, at: int, content: bytes) -> None:
    with log_of(file).open("r+b") as log:
        log.seek(at)
        log.write(content)


def rows(file: Path) -> int:
    with closing(sqlite3.connect(file)) as database:
        return int(database.execute("SELECT count(*) FROM events").fetchone()[0])


def ends_of_commits(file: Path) -> list[int]:
    """Return where the frames are that end a commit."""
    log = log_of(file).read_bytes()
    starts = range(HEADER.size, len(log), FRAME)
    return [at for at in starts if log[at + 4 : at + 8] != bytes(4)]


def test_a_whole_log_has_lost_nothing(crashed: Path) -> None:
    assert len(ends_of_commits(crashed)) == COMMITS
    assert lost_log(crashed) == ""
    assert rows(crashed) == COMMITS


@pytest.mark.parametrize("cut", [1, 100, FRAME, 2 * FRAME + 7])
def test_a_torn_end_is_none_of_it(crashed: Path, cut: int) -> None:
    size = log_of(crashed).stat().st_size
    with log_of(crashed).open("r+b") as log:
        log.truncate(size - cut)
    assert lost_log(crashed) == ""
    assert rows(crashed) == COMMITS - 1


def test_an_end_that_is_written_in_part_is_none_of_it(crashed: Path) -> None:
    """Sectors come to the disk in no order: of the last commit only its first page is missing."""
    overwrite(crashed, ends_of_commits(crashed)[-2] + FRAME + 512, b"\xff" * 512)
    assert lost_log(crashed) == ""
    assert rows(crashed) == COMMITS - 1


def test_what_stands_before_other_commits_was_on_disk_and_is_damage(crashed: Path) -> None:
    overwrite(crashed, ends_of_commits(crashed)[2] + 512, b"\xff" * 512)
    before = log_of(crashed).read_bytes()
    lost = COMMITS - 3
    words = f"{lost} commits behind a damaged place in crashed.db-wal are lost"
    assert lost_log(crashed) == words
    assert log_of(crashed).read_bytes() == before


def test_an_older_log_s_frames_behind_the_end_are_none_of_it(crashed: Path) -> None:
    with closing(sqlite3.connect(crashed, isolation_level=None)) as database:
        database.execute("PRAGMA wal_checkpoint(RESTART)")
        database.execute("INSERT INTO events (data) VALUES (1)")
        (crashed.parent / "again").mkdir()
        for end in ("", "-wal"):
            shutil.copy(f"{crashed}{end}", crashed.parent / "again" / f"crashed.db{end}")
    again = crashed.parent / "again" / "crashed.db"
    assert len(ends_of_commits(again)) > 1
    assert lost_log(again) == ""


def test_a_log_of_zeros_is_one_that_was_never_written(crashed: Path) -> None:
    log_of(crashed).write_bytes(bytes(2 * FRAME))
    assert lost_log(crashed) == ""
    overwrite(crashed, FRAME, b"x")
    assert lost_log(crashed) == "nothing of crashed.db-wal can be read: commits in it are lost"
