"""The `siren` command, in this process or as one of its own, and what it leaves behind."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner, Result

from actors.settings import Settings
from cluster.cli import app
from tests.support.services import InProcess
from tests.support.system import ROOT


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


async def one_order(folder: Path) -> None:
    async with InProcess(Settings(data_dir=folder)) as system:
        await system.place()
        await system.settle()
