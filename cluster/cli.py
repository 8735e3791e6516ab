"""The `siren` command. Imports Ray only where a command needs it, so that help is quick."""

import logging
import os
import signal
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from actors.domain.errors import SirenError
from actors.settings import Settings
from cluster import environment
from cluster.data_folder import is_held, read_holder

environment.prepare()

STOP_TIMEOUT_S = 60.0

app = typer.Typer(
    name="siren",
    help="Siren Order: order coffee ahead, pay, pick it up. Settings: environment, SIREN_*.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
console = Console(highlight=False)
problems = Console(stderr=True, highlight=False, soft_wrap=True)

Data = Annotated[
    Path | None, typer.Option("--data", help="Data folder. [default: $SIREN_DATA_DIR or ./data]")
]
Port = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Gateway port. [default: $SIREN_PORT or 8088]")
]
Host = Annotated[
    str | None, typer.Option(help="Gateway address. [default: $SIREN_HOST or 127.0.0.1]")
]


@app.command()
def up(data: Data = None, port: Port = None, host: Host = None) -> None:
    """Start the whole system on this machine, in the foreground; Ctrl-C stops it."""
    settings = _settings(data_dir=data, port=port, host=host)
    environment.prepare_haproxy()
    with console.status("starting"):
        from cluster import bootstrap  # noqa: PLC0415 - importing Ray takes seconds

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    logging.getLogger("ray").setLevel(logging.WARNING)
    started = time.monotonic()
    try:
        with bootstrap.running(settings, lambda step: console.print(f"· {step}")):
            url = f"http://{settings.host}:{settings.port}"
            seconds = time.monotonic() - started
            console.print(f"\n[bold]Siren Order is up[/bold] after {seconds:.0f} s: {url}")
            console.print(f"  {url}/docs     every call, to try out")
            console.print(f"  {url}/stores   the demo stores")
            console.print(f"  data in {settings.data_dir.absolute()}; Ctrl-C stops\n")
            stop.wait()
            console.print("· stopping")
    except SirenError as error:
        _fail(error)
    console.print("stopped; every acknowledged order is in the journal")


@app.command()
def down(data: Data = None) -> None:
    """Stop the system that runs on a data folder, and wait until it has stopped."""
    settings = _settings(data_dir=data)
    folder = settings.data_dir.absolute()
    pid = read_holder(folder).get("pid")
    if pid is None or not is_held(folder):
        console.print(f"nothing runs on {folder}")
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    with console.status(f"stopping process {pid}"):
        while is_held(folder):
            if time.monotonic() > deadline:
                detail = f"process {pid} has not stopped after {STOP_TIMEOUT_S:.0f} s"
                _fail(SirenError("still_running", detail))
            time.sleep(0.1)
    console.print(f"stopped process {pid}")


@app.command()
def status(data: Data = None) -> None:
    """Show the actors, where they live, the open orders and how far the view is behind."""
    from cluster import status as report  # noqa: PLC0415 - importing Ray takes seconds

    settings = _settings(data_dir=data)
    try:
        console.print(report.describe(settings))
    except SirenError as error:
        _fail(error)


def _settings(**given: Any) -> Settings:
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        for problem in error.errors():
            name = "SIREN_" + "_".join(str(part) for part in problem["loc"]).upper()
            problems.print(f"[red]{name}[/red]: {problem['msg']}")
        raise typer.Exit(2) from error


def _fail(error: SirenError) -> None:
    problems.print(f"[red]siren:[/red] {error.detail}")
    raise typer.Exit(1) from error
