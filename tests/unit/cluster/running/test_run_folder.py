"""The folder of one run: short, its user's alone, and gone with the run however that ends."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cluster.running import run_folder
from cluster.running.run_folder import RunFolder, remove_dead, remove_if_dead

ASLEEP = "import sys, time; open(sys.argv[1], 'w').close(); time.sleep(600)"


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run_folder, "_parent", lambda: tmp_path)
    monkeypatch.setattr(run_folder, "YOUNG_S", -1.0)
    return tmp_path


@pytest.fixture
def dead(parent: Path) -> Path:
    """The folder of a run that crashed."""
    path = Path(tempfile.mkdtemp(prefix=run_folder.PREFIX, dir=parent))
    (path / "ray").mkdir()
    (path / run_folder.MARK).touch()
    return path


@pytest.fixture
def orphan(dead: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of that run which is still there."""
    started = dead / "ray" / "started"
    with subprocess.Popen([sys.executable, "-c", ASLEEP, str(started)]) as process:
        while not started.exists():
            assert process.poll() is None
        yield process
        process.kill()


def test_it_is_its_user_s_alone_and_goes_with_the_run(parent: Path) -> None:
    with RunFolder() as run:
        assert run.path.parent == parent
        assert run.path.stat().st_mode & 0o777 == 0o700
        (run.path / "file").touch()
    assert list(parent.iterdir()) == []


def test_the_sockets_in_it_have_paths_that_are_short_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    for place in ("/tmp", "/tmp/" + "deep/" * 30):
        monkeypatch.setattr(tempfile, "tempdir", place)
        with RunFolder() as run:
            session = "ray/session_2026-11-26_20-39-15_274820_4194304/sockets/plasma_store"
            assert len(os.fsencode(run.path / session)) <= 107
            assert len(os.fsencode(run.path / ("n" * 56) / "admin.sock")) <= 97


def test_the_next_run_removes_what_a_crashed_one_left_and_ends_it(
    dead: Path, orphan: subprocess.Popen[bytes]
) -> None:
    with RunFolder() as run:
        assert not dead.exists()
        assert run.path.exists()
        orphan.wait(timeout=30)


def test_who_only_reads_a_log_of_a_dead_run_is_left_alone(dead: Path) -> None:
    log = dead / "log"
    log.write_text("started\n")
    with subprocess.Popen(
        ["/usr/bin/env", "tail", "-f", str(log)], stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdout
        assert reader.stdout.readline() == b"started\n"  # it has the file open now
        remove_dead(dead.parent)
        assert psutil.pid_exists(reader.pid)
        assert reader.poll() is None
        reader.kill()


def test_a_run_that_goes_on_is_left_alone() -> None:
    with RunFolder() as first, RunFolder() as second:
        assert first.path.exists()
        assert second.path.exists()


def test_a_folder_that_may_be_about_to_be_locked_is_left_alone(
    dead: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "YOUNG_S", 60.0)
    remove_dead(dead.parent)
    assert dead.exists()


def test_whatever_only_has_a_name_like_it_is_left_alone(dead: Path) -> None:
    others = [dead.parent / name for name in ("siren.", "siren.database", "siren.my_coffee")]
    for other in others:
        other.mkdir()
    link = dead.parent / "siren.abcdefgh"
    link.symlink_to(others[1])
    for path in (*others, link):
        remove_if_dead(path)
    remove_dead(dead.parent)
    assert all(other.is_dir() for other in others)
    assert link.is_symlink()


def test_a_stranger_s_folder_is_left_alone(dead: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(dead, 65534, 65534)
    remove_dead(dead.parent)
    assert dead.exists()
