"""`siren headings`: what this system can do, each heading measured, as a table."""

import asyncio
import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.markup import escape

from actors.contracts.errors import SirenError
from actors.runtime.lock_file import ray_address
from actors.settings import Settings
from cluster.headings.record import Heading, Outcome
from cluster.terminal import console, fail, problems, settings_of

app = typer.Typer()

Rows = list[tuple[Heading, Outcome]]


@app.command()
def headings(
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="This one; may be given repeatedly.")
    ] = None,
    list_: Annotated[  # noqa: FBT002
        bool, typer.Option("--list", help="Print the names of the headings, and measure nothing.")
    ] = False,
    quick: Annotated[  # noqa: FBT002
        bool, typer.Option("--quick", help="A tenth of the load: a look, not a figure.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option("--json", help="File to write the table to, with all numbers.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Data folder of a system that runs, to be measured: it gets orders. "
            "(default: a throw-away system)",
        ),
    ] = None,
) -> None:
    """Measure each heading of operation, and print a table: what was done, figure, verdict.

    On a throw-away system of its own, or one that runs; what would change or harm that one is done
    to a throw-away one. Takes all of the machine, and tens of minutes. Exit code 1 where a heading
    misses what it must, or fails.
    """
    from cluster.headings.catalog import HEADINGS  # noqa: PLC0415 - takes a second

    if list_:
        for heading in HEADINGS:
            typer.echo(heading.name)
        return
    chosen = _chosen(HEADINGS, only)
    running = None if data is None else _running(data)
    if file is not None:
        _check_writable(file)
    rows: Rows = []
    try:
        with _terminated_like_interrupted():
            asyncio.run(_measure(chosen, running, rows, quick=quick))
    finally:
        if file is not None:
            _write(file, rows)
    missed = [outcome for _, outcome in rows if not outcome.verdict.is_well]
    if missed:
        console.print(f"[red]{len(missed)} of {len(rows)} figures miss what they must be[/red]")
        raise typer.Exit(1)
    console.print(f"[green]all {len(rows)} figures are as they must be[/green]")


def _chosen(headings: Sequence[Heading], only: list[str] | None) -> list[Heading]:
    if not only:
        return list(headings)
    known = {heading.name: heading for heading in headings}
    for name in only:
        if name not in known:
            names = ", ".join(known)
            raise typer.BadParameter(f"no heading is called {name!r}: {names}", param_hint="--only")
    return [heading for heading in headings if heading.name in only]


def _running(data: Path) -> Settings:
    settings = settings_of(data_dir=data)
    try:
        ray_address(settings.data_dir.absolute())  # says what to do where nothing runs
    except SirenError as error:
        fail(error)
    return settings


def _check_writable(file: Path) -> None:
    """End the command now where the file could not be written after half an hour."""
    try:
        file.open("a").close()
    except OSError as error:
        fail(SirenError("no_file", f"cannot write {file}: {error.strerror}"))


def _write(file: Path, rows: Rows) -> None:
    from cluster.headings.table import as_json  # noqa: PLC0415 - with the rest

    file.write_text(json.dumps(as_json(rows), indent=2, ensure_ascii=False) + "\n")


async def _measure(
    chosen: list[Heading], running: Settings | None, rows: Rows, *, quick: bool
) -> None:
    from cluster.headings.measuring import measured  # noqa: PLC0415 - takes a second
    from cluster.headings.table import SHOWN_PROBLEMS, GrowingTable  # noqa: PLC0415 - as above
    from cluster.headings.target import Target  # noqa: PLC0415 - as above

    table = GrowingTable(console)
    table.head()
    async with Target(_say, running, quick=quick) as target:
        async for heading, outcome in measured(chosen, target):
            rows.append((heading, outcome))
            table.add(heading, outcome)
            for problem in outcome.problems[:SHOWN_PROBLEMS]:
                _say(problem)


def _say(what: str) -> None:
    problems.print(f"[dim]· {escape(what)}[/dim]")


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does, so that what it has started is ended."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    before = {n: signal.signal(n, interrupt) for n in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
