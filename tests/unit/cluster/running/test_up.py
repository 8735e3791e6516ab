"""`siren up` refuses what it cannot start on, each in one sentence."""

import os
import re
import resource
import socket
from pathlib import Path

import pytest

from cluster.running.data_folder import DataFolder
from cluster.running.environment import free_port
from tests.support.command import alone, sentence, siren

NO_RAY = """
from cluster.running import environment
environment.prepare()
import ray
from cluster import cli
def init(**asked):
    raise ValueError(f"{asked['include_dashboard']} at {asked['dashboard_host']}")
ray.init = init
cli.app()
"""
"""The command, where Ray's start tells what it was asked for, and fails."""


def test_up_refuses_a_taken_port_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        result = siren("up", "--port", port, data=tmp_path)
    assert result.exit_code == 1
    assert f"port {port} on 127.0.0.1 is taken" in sentence(result)


def test_up_refuses_what_could_not_be_safe_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIREN_JWKS_URL", "https://login.example.org/keys")
    result = siren("up", "--port", str(free_port()), data=tmp_path)
    assert result.exit_code == 1
    assert "SIREN_JWKS_AUDIENCE" in sentence(result)
    assert list(tmp_path.iterdir()) == []


def test_up_refuses_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    result = siren("up", "--port", str(free_port()), data=tmp_path / "file" / "data")
    assert result.exit_code == 1
    assert "is not writable" in sentence(result)


@pytest.mark.parametrize("name", ["journal.db", "readmodel.db", "stores.db", "payments.db-wal"])
def test_up_refuses_a_folder_in_a_database_s_place_in_one_sentence(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir()
    result = siren("up", "--port", str(free_port()), data=tmp_path)
    assert result.exit_code == 1
    assert f"{name} is a folder, where the database" in sentence(result)
    assert (tmp_path / name).is_dir()


def test_up_refuses_a_file_in_the_data_folder_s_place(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    result = siren("up", "--port", str(free_port()), data=tmp_path / "data")
    assert result.exit_code == 1
    assert "is a file, not a folder" in sentence(result)


@pytest.mark.parametrize("largest_file", [0, 8192])
def test_up_says_in_one_sentence_that_nothing_more_can_be_written(
    tmp_path: Path, largest_file: int
) -> None:
    """As on a full disk, from the start on or while the databases are made."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    ran = alone("up", "--port", str(free_port()), data=tmp_path, preexec_fn=limit)
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert re.match("siren: cannot (make|write|prepare|start)", ran.stderr.splitlines()[-1])


def test_up_refuses_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.running.data_folder.LEAST_FREE", 2**60)
    result = siren("up", "--port", str(free_port()), data=tmp_path)
    assert result.exit_code == 1
    assert re.match(r"siren: the disk of \S+ is full: \d+ KiB are free", sentence(result))


def test_up_refuses_a_folder_in_use_and_names_its_holder(tmp_path: Path) -> None:
    with DataFolder(tmp_path):
        result = siren("up", "--port", str(free_port()), data=tmp_path)
    assert result.exit_code == 1
    assert f"in use by process {os.getpid()}" in sentence(result)


def test_up_refuses_a_wrong_database_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIREN_DATABASE_URL", "mysql://siren:secret@db/siren")
    result = siren("up", data=tmp_path)
    assert result.exit_code == 1
    assert "SIREN_DATABASE_URL must look like" in sentence(result)
    assert "secret" not in result.output


@pytest.mark.parametrize(("options", "expected"), [((), False), (("--dashboard",), True)])
def test_ray_starts_its_dashboard_where_up_is_asked_for_it(
    tmp_path: Path, options: tuple[str, ...], *, expected: bool
) -> None:
    ran = alone("up", "--port", str(free_port()), *options, data=tmp_path, begin=("-c", NO_RAY))
    assert ran.returncode == 1
    assert f"It says: {expected} at 127.0.0.1" in ran.stderr
