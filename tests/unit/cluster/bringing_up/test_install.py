"""`install.sh`, which `ray up` runs on each machine, with stand-ins for Python and pip."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.deployment_files import load
from tests.support.machine import furnish, install

WORKERS = {"file_mounts": {}, "worker_setup_commands": ["sh ~/.siren/install.sh"]}
"""Of what `ray up` tells the head's autoscaler."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home as `ray up` leaves it before the first command."""
    return furnish(tmp_path)


def test_the_locks_are_installed_by_hash_and_then_the_wheel(home: Path) -> None:
    locked, wheel = install(home)
    assert locked.endswith("--require-hashes -r locks/runtime.lock")
    assert wheel.endswith("--no-deps --force-reinstall wheel/siren_order-0.1.0-py3-none-any.whl")


def test_a_machine_that_has_it_all_is_left_as_it_is(home: Path) -> None:
    assert install(home) == install(home)


def test_another_wheel_is_installed(home: Path) -> None:
    before = install(home)
    newer = home / ".siren/wheel/siren_order-0.2.0-py3-none-any.whl"
    newer.write_text("another wheel")
    os.utime(newer, (2**32, 2**32))
    after = install(home)
    assert len(after) > len(before)
    assert after[-1].endswith(newer.name)


def test_half_of_an_environment_is_made_anew(home: Path) -> None:
    python = home / ".siren/venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n! echo No module named pip >&2\n")
    python.chmod(0o755)
    assert len(install(home)) == 2


def test_the_head_installs_on_other_machines_what_has_changed(home: Path) -> None:
    (home / "ray_bootstrap_config.yaml").write_text(json.dumps(WORKERS))

    def told() -> Any:
        install(home)
        return load(home / ".siren/cluster.yaml")

    first = told()
    [command] = first["worker_setup_commands"]
    assert command.startswith("sh ~/.siren/install.sh ")
    assert told() == first
    for name in ("wheel/siren_order-0.1.0-py3-none-any.whl", "siren.env"):
        before = told()
        (home / ".siren" / name).write_text("another")
        assert told() != before


def test_workers_on_aws_are_of_the_head_s_own_image(home: Path) -> None:
    image = {"ImageId": "resolve:ssm:/aws/service/canonical/ubuntu/ami-id"}
    (home / "ray_bootstrap_config.yaml").write_text(json.dumps({"node": image, "region": "r"}))
    curl = home / "bin/curl"
    curl.write_text('#!/bin/sh\ncase "$*" in *ami-id) echo ami-1 ;; *) echo a token ;; esac\n')
    curl.chmod(0o755)
    install(home)
    assert load(home / ".siren/cluster.yaml") == {"node": {"ImageId": "ami-1"}, "region": "r"}


def test_certificates_encrypt_what_ray_says(home: Path) -> None:
    (home / ".siren/tls").mkdir()
    (home / ".siren/tls/key.pem").write_text("a key")
    install(home)
    shell = ["bash", "-c", '. ~/.bashrc; echo "$RAY_USE_TLS $RAY_TLS_SERVER_KEY"']
    clean = {"HOME": str(home), "PATH": os.environ["PATH"]}
    found = subprocess.run(shell, env=clean, capture_output=True, text=True, check=True)
    assert found.stdout == f"1 {home}/.siren/tls/key.pem\n"
    assert (home / ".siren/tls/key.pem").stat().st_mode & 0o077 == 0


def test_a_worker_has_nobody_to_tell(home: Path) -> None:
    install(home)
    assert not (home / ".siren/cluster.yaml").exists()


def test_nobody_else_on_the_machine_reads_the_secrets(home: Path) -> None:
    for name in (".siren/siren.env", ".ray/auth_token"):
        (home / name).chmod(0o644)
    install(home)
    for name in (".siren/siren.env", ".ray/auth_token"):
        assert (home / name).stat().st_mode & 0o777 == 0o600


def test_shells_find_the_system_however_often_it_is_installed(home: Path) -> None:
    install(home)
    install(home)
    assert len((home / ".bashrc").read_text().splitlines()) == 1
    shell = ["bash", "-c", '. ~/.bashrc; command -v siren; echo "$ASKED"']
    clean = {"HOME": str(home), "PATH": os.environ["PATH"]}
    found = subprocess.run(shell, env=clean, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == [f"{home}/.siren/venv/bin/siren", "node env"]
