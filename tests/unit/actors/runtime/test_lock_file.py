"""Which system a client means, and whose word about it is believed."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.contracts.errors import Unavailable
from actors.runtime.lock_file import (
    LOCK_NAME,
    default_address,
    is_held,
    named_address,
    ray_address,
    read_holder,
)
from cluster.running.data_folder import DataFolder

ONE, OTHER = "127.0.0.1:6001", "127.0.0.1:6002"


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv("SIREN_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Path]:
    """The folder of a system that runs."""
    with DataFolder(tmp_path / "one") as folder:
        folder.tell(ray=ONE)
        yield folder.path


def test_the_environment_names_a_system_by_its_folder(
    one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIREN_DATA_DIR", str(one))
    assert named_address() == ONE


def test_the_environment_names_a_system_by_its_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", OTHER)
    assert named_address() == OTHER


@pytest.mark.parametrize("address", [ONE, "localhost:6001", ""])
def test_both_may_name_the_same_system(
    one: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIREN_DATA_DIR", str(one))
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert named_address() == ONE


def test_two_systems_are_no_choice_of_ours(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIREN_DATA_DIR", str(one))
    monkeypatch.setenv("RAY_ADDRESS", OTHER)
    with pytest.raises(Unavailable, match="unset one of them"):
        named_address()


@pytest.mark.usefixtures("one")
def test_a_folder_on_which_nothing_runs_is_not_replaced_by_what_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIREN_DATA_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("RAY_ADDRESS", ONE)
    with pytest.raises(Unavailable, match=f"nothing runs on {tmp_path}/other"):
        named_address()


@pytest.mark.parametrize("address", ["auto", "local"])
def test_an_address_that_says_whatever_runs_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(Unavailable, match="is no host:port"):
        named_address()


def test_where_nothing_is_named_the_default_folder_is_meant(tmp_path: Path) -> None:
    assert named_address() is None
    with pytest.raises(Unavailable, match="SIREN_DATA_DIR"):
        default_address()
    with DataFolder(tmp_path / "data") as folder:
        folder.tell(ray=ONE)
        assert default_address() == ONE


def test_what_a_dead_system_told_is_no_address(one: Path, tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    dead.mkdir()
    (dead / LOCK_NAME).write_bytes((one / LOCK_NAME).read_bytes())
    with pytest.raises(Unavailable, match="nothing runs"):
        ray_address(dead)


def _linked(path: Path) -> None:
    real = path.with_name("real")
    path.rename(real)
    path.symlink_to(real)


def _writable(path: Path) -> None:
    path.chmod(0o666)


def _a_stranger_s(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 65534, 65534)


def _a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize("spoil", [_linked, _writable, _a_stranger_s, _a_pipe])
def test_a_lock_file_that_somebody_else_could_have_written_is_not_believed(
    spoil: object, tmp_path: Path
) -> None:
    with DataFolder(tmp_path / "folder") as folder:
        folder.tell(ray=OTHER)
        assert json.loads((folder.path / LOCK_NAME).read_text())["ray"] == OTHER
        assert callable(spoil)
        spoil(folder.path / LOCK_NAME)
        assert read_holder(folder.path) == {}
        assert not is_held(folder.path)
        with pytest.raises(Unavailable):
            ray_address(folder.path)
