"""The `siren` command: what it says, and how it ends, when something is not as it should be."""

import asyncio
import os
import re
import resource
import runpy
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner, Result

from actors.contracts.errors import SirenError
from actors.order.journal_tables import events
from actors.settings import Settings
from cluster.cli import app
from cluster.running.data_folder import DataFolder
from cluster.running.token_secret import make_secret
from readmodel.tables import checkpoint, open_database, order_detail
from serve_app.contract.identity import Identity, Role
from serve_app.security.tokens import InvalidToken, Tokens
from tests.support.services import InProcess
from tests.support.system import ROOT, free_port

COMMANDS = ("up", "down", "status", "env", "verify", "rebuild-view", "token", "forget")


def siren(*arguments: str, data: Path | None = None) -> Result:
    return CliRunner().invoke(app, [*arguments, *(["--data", str(data)] if data else [])])


def alone(
    *arguments: str,
    data: Path,
    begin: tuple[str, str] = ("-m", "cluster.cli"),
    preexec_fn: Callable[[], None] | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run a command as a process of its own."""
    return subprocess.run(
        [sys.executable, *begin, *arguments, "--data", str(data)],
        env=os.environ | {"COLUMNS": "200"} | environment,
        cwd=ROOT,
        preexec_fn=preexec_fn,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def sentence(result: Result) -> str:
    """Return the one line of complaint."""
    assert not isinstance(result.exception, Exception), result.exception
    (line,) = result.stderr.splitlines()
    return line


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


# --- up -----------------------------------------------------------------------------------------


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


# --- token, forget ------------------------------------------------------------------------------


@pytest.fixture
def secret(tmp_path: Path) -> bytes:
    """The secret of a folder on which `siren up` has run."""
    return make_secret(Settings(data_dir=tmp_path))


@pytest.mark.parametrize(
    ("options", "identity"),
    [
        (("--role", "owner"), Identity("owner", Role.OWNER)),
        (("--role", "service", "--subject", "till"), Identity("till", Role.SERVICE)),
        (("--role", "customer", "--subject", "c-17"), Identity("c-17", Role.CUSTOMER)),
        (
            ("--role", "staff", "--store", "gangnam", "--subject", "till-1"),
            Identity("till-1", Role.STAFF, "gangnam"),
        ),
    ],
)
def test_a_token_is_for_whom_it_was_asked_for(
    tmp_path: Path, secret: bytes, options: tuple[str, ...], identity: Identity
) -> None:
    result = siren("token", *options, "--hours", "2", data=tmp_path)
    assert result.exit_code == 0, result.output
    (token,) = result.stdout.splitlines()
    holder = asyncio.run(Tokens(secret).identity(token.encode()))
    assert holder.expires_at is not None
    assert 1.9 * 3600 < holder.expires_at - time.time() <= 2 * 3600
    assert replace(holder, expires_at=None) == identity


@pytest.mark.usefixtures("secret")
def test_a_token_for_a_store_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    asyncio.run(_one_order(tmp_path))
    refused = siren("token", "--role", "staff", "--store", "nowhere", data=tmp_path)
    assert refused.exit_code == 1
    assert "there is no store nowhere, only gangnam, jeju, pangyo" in sentence(refused)
    assert refused.stdout == ""
    assert siren("token", "--role", "staff", "--store", "jeju", data=tmp_path).exit_code == 0


def test_each_device_of_a_store_is_somebody_of_its_own(tmp_path: Path, secret: bytes) -> None:
    """Rate limits are by subject."""
    subjects = set()
    for _ in range(2):
        result = siren("token", "--role", "staff", "--store", "gangnam", data=tmp_path)
        holder = asyncio.run(Tokens(secret).identity(result.stdout.strip().encode()))
        assert holder.store_id == "gangnam"
        subjects.add(holder.subject)
    assert len(subjects) == 2


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--role", "root"),
        ("--role", "staff"),
        ("--role", "owner", "--store", "gangnam"),
        ("--role", "customer"),
        ("--role", "owner", "--subject", ""),
        ("--role", "owner", "--subject", "x" * 65),
        ("--role", "owner", "--hours", "0"),
    ],
)
@pytest.mark.usefixtures("secret")
def test_a_token_for_nobody_in_particular_is_refused(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    result = siren("token", *options, data=tmp_path)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_without_a_secret_there_is_no_token_and_none_is_made(tmp_path: Path) -> None:
    result = siren("token", "--role", "owner", data=tmp_path)
    assert result.exit_code == 1
    assert "the first `siren up` makes it" in sentence(result)
    assert list(tmp_path.iterdir()) == []


def test_a_configured_secret_comes_before_the_file(
    tmp_path: Path, secret: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIREN_JWT_SECRET", "configured" * 4)
    token = siren("token", "--role", "owner", data=tmp_path).stdout.strip().encode()
    assert asyncio.run(Tokens(b"configured" * 4).identity(token)).role is Role.OWNER
    with pytest.raises(InvalidToken):
        asyncio.run(Tokens(secret).identity(token))


def test_a_secret_that_is_too_short_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SIREN_JWT_SECRET", "hunter2")
    result = siren("token", "--role", "owner")
    assert result.exit_code == 2
    assert sentence(result).startswith("SIREN_JWT_SECRET: ")
    assert "hunter2" not in result.output


def test_the_secret_is_made_once_and_for_its_owner_s_eyes(tmp_path: Path, secret: bytes) -> None:
    file = tmp_path / "token.secret"
    assert len(secret) == 64
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    assert make_secret(Settings(data_dir=tmp_path)) == secret
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("short")
    with pytest.raises(SirenError, match="at least 32 characters"):
        make_secret(Settings(data_dir=tmp_path))


def test_forget_needs_the_running_system(tmp_path: Path) -> None:
    result = siren("forget", "c-17", "--yes", data=tmp_path)
    assert result.exit_code == 1
    assert "start it with `siren up`" in sentence(result)


def test_forget_asks_nobody_where_there_is_nobody_to_ask(tmp_path: Path) -> None:
    result = siren("forget", "c-17", data=tmp_path)
    assert result.exit_code == 1
    assert "repeat it with --yes" in sentence(result)


def test_forget_names_backups_as_what_it_cannot_reach() -> None:
    assert "BACKUPS ARE NOT TOUCHED" in " ".join(siren("forget", "--help").stdout.split())


# --- down, status -------------------------------------------------------------------------------


def test_down_is_content_where_nothing_runs(tmp_path: Path) -> None:
    result = siren("down", data=tmp_path)
    assert result.exit_code == 0
    assert "nothing runs on" in result.stdout


def test_down_does_not_believe_what_a_crashed_system_left_behind(tmp_path: Path) -> None:
    (tmp_path / "siren.lock").write_text(f'{{"pid": {os.getpid()}}}')
    assert "nothing runs on" in siren("down", data=tmp_path).stdout


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str | int | None]:
    """Run a script as `python -m` does, and return what it gives `sys.exit`."""

    def run(module: str, *arguments: str) -> str | int | None:
        monkeypatch.setattr(sys, "argv", [module, *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(f"cluster.drivers.{module}", run_name="__main__")
        return ended.value.code

    return run


@pytest.mark.parametrize("module", ["follow_one_order", "rush_hour"])
def test_a_driver_s_help_explains_it_and_does_nothing(
    module: str,
    drive: Callable[..., str | int | None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert drive(module, "--help") == 0
    shown = capsys.readouterr()
    assert "on the running system" in shown.out
    assert shown.err == ""


@pytest.mark.parametrize("module", ["follow_one_order", "rush_hour"])
def test_a_driver_says_in_one_sentence_that_nothing_runs(
    module: str,
    drive: Callable[..., str | int | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SIREN_DATA_DIR", str(tmp_path))
    complaint = str(drive(module))
    assert f"nothing runs on {tmp_path}" in complaint
    assert len(complaint.splitlines()) == 1
    assert capsys.readouterr() == ("", "")


def test_env_prints_what_to_export(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as folder:
        folder.tell(ray="127.0.0.1:6001")
        result = siren("env", data=tmp_path)
    assert result.exit_code == 0
    assert f"export SIREN_DATA_DIR={tmp_path}" in result.stdout.splitlines()
    assert "export RAY_ADDRESS=127.0.0.1:6001" in result.stdout.splitlines()
    assert siren("env", data=tmp_path).exit_code == 1


def test_status_tells_what_the_files_tell_where_nothing_runs(tmp_path: Path) -> None:
    asyncio.run(_one_order(tmp_path))
    result = siren("status", data=tmp_path)
    assert result.exit_code == 1
    assert "start it with `siren up`" in sentence(result)
    assert re.search(r"events in the journal\W+4\b", result.stdout)


def test_status_waits_for_no_database_that_is_silent(tmp_path: Path) -> None:
    impatient = (
        "from cluster import cli\nfrom cluster.operations import status\n"
        "status.ANSWER_S = 1.0\ncli.app()"
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+asyncpg://siren@127.0.0.1:{silent.getsockname()[1]}/siren"
        ran = alone("status", data=tmp_path, begin=("-c", impatient), SIREN_DATABASE_URL=url)
    assert ran.returncode == 1
    assert "no answer within 1 s" in ran.stdout
    assert "start it with `siren up`" in ran.stderr


def test_status_tells_once_of_a_database_that_cannot_be_opened(tmp_path: Path) -> None:
    for name in ("journal.db", "readmodel.db"):
        (tmp_path / name).mkdir()
    ran = alone("status", data=tmp_path)
    assert ran.returncode == 1
    assert "journal.db: unable to open database file" in ran.stdout
    assert "readmodel.db: unable to open database file" in ran.stdout
    (complaint,) = ran.stderr.splitlines()
    assert "start it with `siren up`" in complaint


class _Gateway(BaseHTTPRequestHandler):
    """Answers with one status, as a replica does, or HAProxy where there is none."""

    def do_GET(self) -> None:
        assert self.path == "/healthz"
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("answer", "code", "shown"),
    [(200, 0, "gateway: answers"), (503, 1, "gateway: does not answer")],
)
def test_status_tells_whether_the_gateway_answers(
    tmp_path: Path, answer: int, code: int, shown: str
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Gateway) as server, DataFolder(tmp_path) as folder:
        server.status = answer  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        folder.tell(url=f"http://127.0.0.1:{server.server_port}")
        result = siren("status", data=tmp_path)
        server.shutdown()
    assert shown in result.stdout
    assert result.exit_code == code


def test_status_tells_that_the_gateway_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.operations.status.GATEWAY_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, DataFolder(tmp_path) as folder:
        folder.tell(url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        result = siren("status", data=tmp_path)
    assert "gateway: does not answer" in result.stdout
    assert result.exit_code == 1
    assert "not all could be asked: gateway" in sentence(result)


def test_status_says_that_nothing_runs(tmp_path: Path) -> None:
    result = siren("status", data=tmp_path)
    assert result.exit_code == 1
    assert "start it with `siren up`" in sentence(result)


# --- verify, rebuild-view -----------------------------------------------------------------------


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


@pytest.mark.parametrize("command", ["verify", "rebuild-view", "status"])
def test_a_wrong_database_url_is_refused(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIREN_DATABASE_URL", "somewhere")
    result = siren(command)
    assert result.exit_code == 1
    assert "SIREN_DATABASE_URL must look like" in sentence(result)


@pytest.mark.parametrize("command", ["verify", "rebuild-view"])
def test_a_database_server_that_does_not_answer_is_no_traceback(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"postgresql+asyncpg://siren@127.0.0.1:{free_port()}/siren"
    monkeypatch.setenv("SIREN_DATABASE_URL", url)
    result = siren(command)
    assert result.exit_code == 1
    assert sentence(result).startswith("siren: ")


def test_rebuild_view_makes_a_spoilt_view_right_again(tmp_path: Path) -> None:
    asyncio.run(_one_order(tmp_path))
    asyncio.run(_spoil_the_view(tmp_path))
    assert siren("verify", data=tmp_path).exit_code == 1
    rebuilt = siren("rebuild-view", data=tmp_path)
    assert rebuilt.exit_code == 0, rebuilt.output
    assert "rebuilt the view up to journal position 4" in rebuilt.stdout
    assert siren("verify", data=tmp_path).exit_code == 0


def test_rebuild_view_leaves_the_view_alone_where_the_journal_cannot_be_read(
    tmp_path: Path,
) -> None:
    asyncio.run(_one_order(tmp_path))
    before = asyncio.run(_view(tmp_path))
    asyncio.run(_plant_an_unknown_event(tmp_path))
    result = siren("rebuild-view", data=tmp_path)
    assert result.exit_code == 1
    assert "unknown event 'OrderVanished'" in sentence(result)
    assert asyncio.run(_view(tmp_path)) == before


async def _one_order(folder: Path) -> None:
    async with InProcess(Settings(data_dir=folder)) as system:
        await system.place()
        await system.settle()


async def _spoil_the_view(folder: Path) -> None:
    database = open_database(Settings(data_dir=folder).url("readmodel"))
    async with database.write() as connection:
        await connection.execute(update(order_detail).values(body="{}"))
    await database.close()


async def _plant_an_unknown_event(folder: Path) -> None:
    async with (
        InProcess(Settings(data_dir=folder)) as system,
        system.journal.database.write() as connection,
    ):
        last = update(events).where(events.c.version == 4)
        await connection.execute(last.values(type="OrderVanished"))


async def _view(folder: Path) -> list[object]:
    database = open_database(Settings(data_dir=folder).url("readmodel"))
    async with database.read() as connection:
        rows = [*await connection.execute(select(order_detail))]
        reached = await connection.scalar(select(checkpoint.c.position))
    await database.close()
    return [*rows, reached]
