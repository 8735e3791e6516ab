"""What the commands for clusters say and do on a machine, before any Ray is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.system import ROOT

TOKEN = "t" * 64


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text(TOKEN)
    return tmp_path


def siren(*words: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {"PATH": os.environ["PATH"], "HOME": str(home), "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "cluster.cli", *words],
        env={**kept, "SIREN_NODE_DIR": f"/tmp/{os.getpid()}.node"} | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_a_command_of_a_node_has_the_environment_of_the_cluster(home: Path) -> None:
    shown = siren("node", "sh", "-c", "env; echo options: -x $0", "--port=1", home=home).stdout

    assert "RAY_AUTH_MODE=token\n" in shown
    assert "RAY_health_check_period_ms=500\n" in shown
    assert f"RAY_SERVE_HAPROXY_BINARY_PATH=/tmp/{os.getpid()}.node/haproxy\n" in shown
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in shown
    assert "options: -x --port=1\n" in shown


def test_the_environment_of_a_node_is_for_shells(home: Path) -> None:
    shown = siren("node", "env", home=home).stdout

    found = subprocess.run(
        ["sh", "-c", f"{shown}\necho $RAY_gcs_storage"], capture_output=True, text=True, check=True
    )
    assert found.stdout == "rocksdb\n"


def test_a_node_without_ray_s_token_is_refused(tmp_path: Path) -> None:
    ended = siren("node", "true", home=tmp_path)

    assert ended.returncode == 1
    assert "get-auth-token" in ended.stderr


def test_a_command_that_is_not_there_is_named(home: Path) -> None:
    ended = siren("node", "no-such-command", home=home)

    assert ended.returncode == 1
    assert "no-such-command" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["deploy", "undeploy"])
def test_where_no_ray_answers_a_deploy_says_so(home: Path, command: str) -> None:
    ended = siren(command, "--address", "no.such.host.invalid:6379", home=home)

    assert ended.returncode == 1
    assert "no.such.host.invalid:6379" in ended.stderr
    assert "Traceback" not in ended.stderr
