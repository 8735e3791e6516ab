"""The data folder's lock: one system a folder, and nothing to clean up after a crash."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.contracts.errors import SirenError
from actors.runtime.lock_file import is_held, read_holder
from cluster.running.data_folder import DataFolder
from cluster.running.privacy import keep_files_private

HOLD = """
import sys
from pathlib import Path
from cluster.running.data_folder import DataFolder

with DataFolder(Path(sys.argv[1])) as folder:
    folder.tell(url="http://127.0.0.1:8088")
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the folder until its input ends."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_missing_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "data"
    with DataFolder(path):
        assert path.stat().st_mode & 0o077 == 0


def test_an_open_folder_and_our_files_in_it_are_closed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o755)  # whatever the umask is
    names = ("journal.db", "journal.db-wal", "journal.db-shm", "provider.db", "token.secret")
    for name in (*names, "notes.txt"):
        (folder / name).touch()
        (folder / name).chmod(0o644)
    with DataFolder(folder):
        assert mode(folder) == 0o700
        assert {name: mode(folder / name) for name in names} == dict.fromkeys(names, 0o600)
        assert mode(folder / "notes.txt") == 0o644  # which is none of ours


def test_an_open_folder_behind_a_link_is_closed(tmp_path: Path) -> None:
    folder, link = tmp_path / "data", tmp_path / "link"
    folder.mkdir()
    folder.chmod(0o777)
    link.symlink_to(folder)
    with DataFolder(link):
        assert mode(folder) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("name", ["", "journal.db", "token.secret"])
def test_what_belongs_to_another_user_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    theirs = folder / name
    if name:
        theirs.touch(0o600)
    os.chown(theirs, 12345, -1)
    with pytest.raises(SirenError, match="belongs to another user") as refused:
        DataFolder(folder).acquire()
    assert str(theirs) in refused.value.detail
    assert not is_held(folder)


def test_a_folder_that_cannot_be_closed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems keep no permissions."""
    tmp_path.chmod(0o755)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    with pytest.raises(SirenError, match="cannot be closed"):
        DataFolder(tmp_path).acquire()


def test_files_of_the_system_s_processes_are_private(tmp_path: Path) -> None:
    """Ray's too: they inherit it."""
    before = os.umask(0o022)
    try:
        keep_files_private()
        (tmp_path / "file").touch()
        subprocess.run(["/bin/sh", "-c", f": > {tmp_path}/theirs"], check=True)
    finally:
        os.umask(before)
    assert mode(tmp_path / "file") == mode(tmp_path / "theirs") == 0o600


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_held_folder_is_refused_and_names_its_holder(
    tmp_path: Path, holder: "subprocess.Popen[str]"
) -> None:
    with pytest.raises(SirenError, match=f"in use by process {holder.pid}") as refused:
        DataFolder(tmp_path).acquire()
    assert refused.value.code == "data_folder_in_use"
    assert str(tmp_path) in refused.value.detail


def test_who_was_refused_leaves_the_holders_word_alone(
    tmp_path: Path, holder: "subprocess.Popen[str]"
) -> None:
    with pytest.raises(SirenError):
        DataFolder(tmp_path).acquire()
    assert read_holder(tmp_path) == {"pid": holder.pid, "url": "http://127.0.0.1:8088"}
    assert is_held(tmp_path)


def test_a_killed_holder_leaves_the_folder_free(
    tmp_path: Path, holder: "subprocess.Popen[str]"
) -> None:
    holder.kill()
    holder.wait()
    assert not is_held(tmp_path)
    with DataFolder(tmp_path):
        assert read_holder(tmp_path)["pid"] == os.getpid()


def test_a_released_folder_names_nobody(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as folder:
        folder.tell(url="http://127.0.0.1:8088")
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
    assert read_holder(tmp_path) == {}


def test_a_folder_below_a_file_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SirenError, match="is not writable") as refused:
        DataFolder(tmp_path / "file" / "data").acquire()
    assert refused.value.code == "data_folder_not_writable"


def test_a_file_in_the_place_of_the_folder_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    with pytest.raises(SirenError, match="data is a file, not a folder"):
        DataFolder(tmp_path / "data").acquire()


def test_nobody_holds_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "missing")
    assert read_holder(tmp_path / "missing") == {}


@pytest.mark.parametrize("content", ["", "no json", "[1]"])
def test_a_lock_file_that_says_nothing_names_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / "siren.lock").write_text(content)
    assert read_holder(tmp_path) == {}
