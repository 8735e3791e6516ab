"""What README says can be done is done as it is written, against the real system."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from actors.order.ids import KEY_DIGITS
from cluster.cli import app
from tests.support.system import ROOT, System, connections_of, eventually

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
ORDER_ID = re.compile(rf"\b[0-9a-f]{{{11 + KEY_DIGITS}}}\b")
PLACED, START, CANCEL, EVENTS = range(4)
STATE_PORTS = range(8265, 8316)
"""Ray's default, and those that it tries after it."""


def block(containing: str) -> str:
    """Return the one block of code with this text in it."""
    (found,) = (str(text) for _, text in BLOCKS if containing in text)
    return found


def run(system: System, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of README in this folder, as a shell does, on the test's system."""
    here = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SIREN_DATA_DIR": str(system.data_dir),
        "SIREN_PORT": str(system.port),
        "PYTHONPATH": str(ROOT),
    }
    command = command.replace("127.0.0.1:8088", f"127.0.0.1:{system.port}")
    # Whoever runs the tests has another virtual environment, perhaps.
    command = command.replace(".venv/bin/", "")
    strange = ("RAY_ADDRESS", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_AUTH_MODE")
    environment = {k: v for k, v in os.environ.items() if k not in strange} | here
    return subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_session_with_curl_goes_as_it_is_written(system: System) -> None:
    commands = re.findall(r"^\$ (.*?)(?=^(?:HTTP|\{))", block("curl -si"), re.MULTILINE | re.DOTALL)
    assert len(commands) == 4
    (written,) = set(ORDER_ID.findall(block("curl -si")))
    placed = run(system, commands[PLACED].replace("my-first", os.urandom(8).hex())).stdout
    assert re.search(r"^HTTP/1\.1 201", placed)
    (order_id,) = set(ORDER_ID.findall(placed))
    assert f"location: /orders/{order_id}" in placed
    assert len(order_id) == len(written)

    def then(number: int) -> str:
        return run(system, commands[number].replace(written, order_id)).stdout

    assert '"order_status":"ACCEPTED"' in placed
    assert '"order_status":"PREPARING"' in then(START)
    assert '"code":"not_cancelable"' in then(CANCEL)
    assert '"type":"PreparationStarted"' in then(EVENTS)


def test_the_first_script_prints_what_it_says(system: System, tmp_path: Path) -> None:
    script = tmp_path / "first.py"
    script.write_text(block("from cluster.client import"), encoding="utf-8")
    ran = run(system, f"python {script}")
    assert ran.stdout == "PREPARING\n", ran.stderr


def test_the_scripts_to_start_from_run(system: System) -> None:
    follow, rush = block("follow_one_order").splitlines()
    ran = run(system, follow)
    assert "PICKED_UP" in ran.stdout, ran.stderr
    assert ORDER_ID.search(ran.stdout)
    ran = run(system, rush.replace("2000", "40").replace("64", "8"))
    assert "ACCEPTED     40" in ran.stdout, ran.stderr


def test_plain_ray_reaches_the_system(system: System) -> None:
    export, status, actors, join = block("siren env").splitlines()

    def then(command: str) -> str:
        ran = run(system, f"{export}\n{command}")
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    assert "Active" in then(status)
    eventually(lambda: "order-host:0" in then(actors), "Ray's state API is there, soon after")
    then(join)


def test_rays_state_api_listens_on_loopback_and_wants_rays_token(system: System) -> None:
    def listens() -> list[Any]:
        connections = [c for process in system.processes() for c in connections_of(process)]
        opened = [c.laddr for c in connections if c.status == "LISTEN"]
        return [at for at in opened if at.port in STATE_PORTS]

    (at,) = eventually(listens, "Ray's state API is there, soon after the start")
    assert at.ip == "127.0.0.1"
    asked = httpx.get(f"http://127.0.0.1:{at.port}/api/v0/actors")
    assert asked.status_code in (401, 403)


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"^\| `.venv/bin/siren ([a-z-]+)", README, re.MULTILINE)))
)
def test_each_command_is_there(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert f"siren {command}" in shown.stdout


def test_the_script_of_all_commands_is_there(system: System) -> None:
    assert "Usage: siren " in run(system, "siren --help").stdout


def test_no_command_needs_what_is_not_on_the_path() -> None:
    for _, text in BLOCKS:
        assert not re.search(r"^(siren|python|ray) ", text, re.MULTILINE), text
