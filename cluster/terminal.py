"""What the commands of `siren` share: options, where they print, progress, and how they fail."""

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from actors.contracts.errors import SirenError
from actors.runtime.lock_file import DATA_DIR, LOCK_NAME
from actors.settings import SERVICES, Settings
from cluster.running.node_settings import cluster_settings, found_file, node_folder
from cluster.running.reading_settings import as_given, read_settings

Result = TypeVar("Result")

OURS = (LOCK_NAME, "journal.db")
"""What a system leaves in its data folder."""

console = Console(highlight=False)
problems = Console(stderr=True, highlight=False, soft_wrap=True)

Data = Annotated[
    Path | None, typer.Option("--data", help="Data folder. (default: $SIREN_DATA_DIR or ./data)")
]
Port = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Gateway port. (default: $SIREN_PORT or 8088)")
]
Host = Annotated[
    str | None, typer.Option(help="Gateway address. (default: $SIREN_HOST or 127.0.0.1)")
]


def progress_bar() -> Progress:
    """Return a bar with count, rate and time left; silent where nobody watches."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


class _Rate(ProgressColumn):
    """How many a second, once that is known."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.0f}/s")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of `work`; ends the command where it raises `SirenError`."""
    try:
        return asyncio.run(work)
    except SirenError as error:
        fail(error)


def settings_of(**given: Any) -> Settings:
    """Return the settings with the options that were given; ends the command if any is wrong."""
    try:
        return read_settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong_settings(error)
    except SirenError as error:
        fail(error)


def settings_here(data: Path | None) -> Settings:
    """Return the settings of the system that is meant: a data folder's, or a cluster's.

    On a node of a cluster it is that of the node's settings file, behind the environment, where
    neither names a folder or a database and ./data has no system. Ends the command as above.
    """
    found = settings_of(data_dir=data)
    named = data is not None or os.environ.get(DATA_DIR)
    ours = any(os.path.lexists(found.data_dir / name) for name in OURS)
    if named or _names_database(found) or ours or not node_folder().is_dir():
        return found
    try:
        return found if found_file() is None else cluster_settings()
    except SirenError as error:
        fail(error)
    except ValidationError as error:
        wrong_settings(error)


def _names_database(settings: Settings) -> bool:
    return any(settings.variable_of(service) is not None for service in SERVICES)


def wrong_settings(error: ValidationError) -> NoReturn:
    """Say which settings are wrong, and end the command with exit code 2."""
    for problem in error.errors():
        name = as_given("_".join(str(part) for part in problem["loc"]))
        problems.print(f"[red]{escape(name)}[/red]: {escape(problem['msg'])}")
    raise typer.Exit(2) from error


def fail(error: SirenError) -> NoReturn:
    """Say what went wrong, and end the command with exit code 1."""
    problems.print(f"[red]siren:[/red] {escape(error.detail)}")
    raise typer.Exit(1) from error
