"""The `siren` command: what it says, and how it ends, when something is not as it should be."""

import asyncio
import re
from pathlib import Path

import pytest

from cluster.running.data_folder import DataFolder
from cluster.running.environment import free_port
from tests.support.command import one_order, sentence, siren

COMMANDS = ("up", "down", "status", "env", "verify", "rebuild-view", "token", "forget", "config")


def test_help_tells_of_every_command() -> None:
    result = siren("--help")
    assert result.exit_code == 0
    assert all(re.search(rf"\b{command}\b", result.stdout) for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = siren(command, "--help")
    assert result.exit_code == 0
    assert "--data" in re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("SIREN_PORT", "eighty"), ("SIREN_PAYMENT_DEADLINE_S", "-1"), ("SIREN_ORDER_ISOLATION", "no")],
)
def test_a_wrong_setting_names_its_variable(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    result = siren("down")
    assert result.exit_code == 2
    assert sentence(result).startswith(f"{variable}: ")


def test_env_prints_what_to_export(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as folder:
        folder.tell(ray="127.0.0.1:6001")
        result = siren("env", data=tmp_path)
    assert result.exit_code == 0
    assert f"export SIREN_DATA_DIR={tmp_path}" in result.stdout.splitlines()
    assert "export RAY_ADDRESS=127.0.0.1:6001" in result.stdout.splitlines()
    assert siren("env", data=tmp_path).exit_code == 1


@pytest.mark.parametrize("command", ["verify", "rebuild-view"])
def test_a_folder_without_databases_is_named_and_left_alone(command: str, tmp_path: Path) -> None:
    result = siren(command, data=tmp_path)
    assert result.exit_code == 1
    assert "there is no database" in sentence(result)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["verify", "rebuild-view"])
def test_a_file_that_is_no_database_is_refused(command: str, tmp_path: Path) -> None:
    for service in ("journal", "payments", "provider", "stores", "readmodel"):
        (tmp_path / f"{service}.db").write_text("no database" * 100)
    result = siren(command, data=tmp_path)
    assert result.exit_code == 1
    assert "file is not a database" in sentence(result)


@pytest.mark.parametrize("command", ["verify", "rebuild-view"])
def test_a_database_without_our_tables_is_refused(command: str, tmp_path: Path) -> None:
    for service in ("journal", "payments", "provider", "stores", "readmodel"):
        (tmp_path / f"{service}.db").touch()
    result = siren(command, data=tmp_path)
    assert result.exit_code == 1
    assert "journal.db has no table events" in sentence(result)


def test_an_empty_name_of_the_data_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIREN_DATA_DIR", "")
    result = siren("status")
    assert result.exit_code == 2
    assert "SIREN_DATA_DIR" in result.output
    assert "must name a folder" in result.output


@pytest.mark.parametrize(
    "command",
    [
        "verify",
        "rebuild-view",
        "status",
        "up",
        "forget c-1 --yes",
        "token --role staff --store gangnam",
    ],
)
@pytest.mark.parametrize("service", ["DATABASE", "JOURNAL", "PAYMENTS", "STORES", "READMODEL"])
def test_a_wrong_database_url_is_named_by_its_variable(
    command: str, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SIREN_{service}_URL", "somewhere")
    monkeypatch.setenv("SIREN_JWT_SECRET", "s" * 32)
    result = siren(*command.split(), data=tmp_path)
    assert result.exit_code == 1
    assert f"SIREN_{service}_URL must look like" in sentence(result)


@pytest.mark.parametrize(
    ("command", "service"),
    [
        ("verify", "DATABASE"),
        ("rebuild-view", "DATABASE"),
        ("verify", "PAYMENTS"),
        ("rebuild-view", "READMODEL"),
        ("token --role staff --store gangnam", "STORES"),
    ],
)
def test_a_database_server_that_does_not_answer_is_no_traceback(
    command: str, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(one_order(tmp_path))
    url = f"postgresql+asyncpg://siren@127.0.0.1:{free_port()}/siren"
    monkeypatch.setenv(f"SIREN_{service}_URL", url)
    monkeypatch.setenv("SIREN_JWT_SECRET", "s" * 32)
    result = siren(*command.split(), data=tmp_path)
    assert result.exit_code == 1
    assert sentence(result).startswith("siren: ")
    assert "PostgreSQL at 127.0.0.1" in sentence(result)
