"""What the commands for clusters say and do on a machine, before any Ray is there."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cluster import on_nodes
from cluster.cli import app
from cluster.running import node_settings
from cluster.running.environment import free_port
from serve_app.contract.identity import Role
from serve_app.security.tokens import Tokens
from tests.support.system import ROOT

TOKEN = "t" * 64
SECRET = "s" * 64
Said = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text(TOKEN)
    return tmp_path


def siren(*words: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {"PATH": os.environ["PATH"], "HOME": str(home), "COLUMNS": "200"}
    kept["PYTHONPATH"] = str(ROOT)
    return subprocess.run(
        [sys.executable, "-m", "cluster.cli", *words],
        env={**kept, "SIREN_NODE_DIR": f"/tmp/{os.getpid()}.node"} | environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.fixture
def said(home: Path, monkeypatch: pytest.MonkeyPatch) -> Said:
    """Run a command that begins no other program, as `siren` does, without its start."""

    def run(*words: str, **environment: str) -> Result:
        for name in [name for name in os.environ if name.startswith(("SIREN_", "RAY_"))]:
            monkeypatch.delenv(name)
        kept = {"HOME": str(home), "COLUMNS": "200", "SIREN_NODE_DIR": str(home)}
        for name, value in (kept | environment).items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(home)
        monkeypatch.setattr(node_settings, "SETTINGS_FILES", (home / ".siren" / "siren.env",))
        return CliRunner().invoke(app, words)

    return run


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
        ["sh", "-c", f"{shown}\necho $RAY_AUTH_MODE"], capture_output=True, text=True, check=True
    )
    assert found.stdout == "token\n"
    assert "RAY_gcs_storage" not in shown  # a `ray start` in a shell of a worker would keep it


def test_redis_keeps_what_the_head_knows_whatever_its_shell_has(home: Path) -> None:
    both = {"RAY_REDIS_ADDRESS": "redis:6379", "RAY_gcs_storage": "rocksdb"}
    shown = siren("node", "env", "-0", home=home, **both).stdout

    assert "RAY_REDIS_ADDRESS=redis:6379" in shown
    assert "RAY_gcs_storage" not in shown


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


@pytest.fixture
def settings(home: Path) -> Path:
    """The settings file of a node, with the address of a PostgreSQL that does not answer."""
    file = home / ".siren" / "siren.env"
    file.parent.mkdir()
    url = f"postgresql+asyncpg://siren@127.0.0.1:{free_port()}/siren"
    file.write_text(f"SIREN_DATABASE_URL={url}\nSIREN_JWT_SECRET={SECRET}\n")
    file.chmod(0o600)
    return file


@pytest.mark.usefixtures("settings")
def test_a_token_is_signed_with_the_secret_of_the_node_s_settings(home: Path) -> None:
    ended = siren("token", "--role", "owner", home=home, SIREN_NODE_DIR=str(home))

    assert ended.returncode == 0, ended.stderr
    holder = asyncio.run(Tokens(SECRET.encode()).identity(ended.stdout.strip().encode()))
    assert holder.role is Role.OWNER


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    "command", ["verify", "rebuild-view", "token --role staff --store gangnam"]
)
def test_a_command_on_a_node_means_the_database_of_the_node_s_settings(
    said: Said, command: str
) -> None:
    ended = said(*command.split())

    assert ended.exit_code == 1
    assert "PostgreSQL at 127.0.0.1" in ended.stderr


@pytest.mark.usefixtures("settings")
def test_a_person_is_forgotten_on_the_cluster_of_this_node(said: Said) -> None:
    ended = said("forget", "c-1", "--yes", RAY_ADDRESS="127.0.0.1:1")

    assert ended.exit_code == 1
    assert "PostgreSQL at 127.0.0.1" in ended.stderr  # so it has found where to ask


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("named", ["--data", "SIREN_DATA_DIR", "./data"])
def test_a_data_folder_goes_before_the_node_s_settings(home: Path, said: Said, named: str) -> None:
    folder = home / ("data" if named == "./data" else "elsewhere")
    folder.mkdir()
    (folder / "siren.lock").touch()
    options = ["--data", str(folder)] if named == "--data" else []
    environment = {named: str(folder)} if named == "SIREN_DATA_DIR" else {}

    ended = said("verify", *options, **environment)

    assert f"there is no database {folder}" in ended.stderr


@pytest.mark.usefixtures("settings")
def test_a_database_of_the_environment_goes_before_the_node_s_settings(said: Said) -> None:
    url = "postgresql+asyncpg://siren@127.0.0.2:1/siren"

    ended = said("verify", SIREN_DATABASE_URL=url)

    assert "PostgreSQL at 127.0.0.2" in ended.stderr


@pytest.mark.parametrize("command", ["status", "token --role owner"])
def test_a_wrong_setting_of_the_node_is_named(said: Said, settings: Path, command: str) -> None:
    settings.write_text("SIREN_ORDER_HOSTS=none\n")

    ended = said(*command.split(), RAY_ADDRESS="127.0.0.1:1")

    assert ended.exit_code == 2
    assert ended.stderr.startswith("SIREN_ORDER_HOSTS: ")


@pytest.mark.parametrize("command", ["status", "token --role owner"])
def test_a_line_of_the_node_s_settings_that_is_none_is_named(
    said: Said, settings: Path, command: str
) -> None:
    settings.write_text("RAY_USE_TLS=1\n")

    ended = said(*command.split(), RAY_ADDRESS="127.0.0.1:1")

    assert ended.exit_code == 1
    assert ended.stderr.startswith(f"siren: {settings} has RAY_USE_TLS: ")


def test_no_command_of_a_node_runs_with_a_line_that_is_none(home: Path, settings: Path) -> None:
    settings.write_text("RAY_USE_TLS=1\n")

    ended = siren("node", "true", home=home)

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"siren: {settings} has RAY_USE_TLS: ")


def test_a_version_that_cannot_be_imported_is_one_sentence_and_touches_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(name: str) -> None:
        raise ModuleNotFoundError(f"no module for {name}")

    monkeypatch.setattr(on_nodes, "import_module", fail)
    monkeypatch.setattr(on_nodes, "ray_address", lambda _: "127.0.0.1:1")
    said = CliRunner().invoke(app, ["deploy", "--data", str(tmp_path)])

    assert said.exit_code == 1
    words = "the new version does not work: ModuleNotFoundError: no module for"
    assert words in " ".join(said.stderr.split())
    assert "nothing was changed" in " ".join(said.stderr.split())
