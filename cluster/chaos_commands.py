"""`siren chaos`: a running system of one's own is broken for a while, and every order checked."""

import asyncio
import json
import secrets
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, NoReturn

import typer
from rich.markup import escape

from actors.contracts.errors import SirenError
from actors.settings import Settings
from cluster.terminal import Data, console, fail, problems, settings_of

if TYPE_CHECKING:
    from cluster.chaos.report import Report
    from cluster.chaos.screen import Screen
    from cluster.chaos.storm import Storm

app = typer.Typer()

MISUSE = 2
MOST_SEED = 1_000_000
TICK_S = 0.5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Wanted(NamedTuple):
    """What was asked for on the command line."""

    seconds: float
    rate: float
    seed: int
    names: list[str] | None
    file: Path | None
    yes: bool
    public: bool


@app.command()
def chaos(  # noqa: PLR0913, PLR0917 - an option each
    data: Data = None,
    seconds: Annotated[
        float, typer.Option(min=1, help="For how long faults come; a day is 86400.")
    ] = 120,
    rate: Annotated[
        float, typer.Option(min=0.1, max=1000, help="Orders that are placed each second.")
    ] = 10,
    faults: Annotated[
        str | None,
        typer.Option(metavar="KIND,…", help="These kinds alone, or what kinds begin with: kill."),
    ] = None,
    list_: Annotated[  # noqa: FBT002
        bool, typer.Option("--list", help="Print the kinds of faults, and do nothing.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Repeat the faults and orders of another run.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--json", help="File to write the report to.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,  # noqa: FBT002
    public: Annotated[  # noqa: FBT002
        bool, typer.Option("--public", help="Also a system that others can reach.")
    ] = False,
) -> None:
    """Break the running system of a data folder, with customers at work, and check every order.

    Orders are placed, paid, cancelled and made at a rate. Meanwhile processes of this system are
    killed (kill -9) and stopped (SIGSTOP), its databases locked, its disk slowed down, its
    connections cut; never `siren up` itself, Ray's own servers, or any process of another system.
    Whatever is stopped or locked goes on at the end, also where this command is interrupted or
    killed. The first Ctrl-C ends the faults, and all is checked; the second one ends everything.

    Then every acknowledged order is looked up over HTTP and in each database, what clients saw of
    it is compared with what one order can do (linearizability), and all is audited. THE ORDERS
    STAY in the system; their customers' ids begin with `chaos-`. Exit code 1 on a violation, 2
    where the run could not begin.
    """
    settings = settings_of(data_dir=data)
    names = None if faults is None else [name.strip() for name in faults.split(",")]
    chosen_seed = seed if seed is not None else secrets.randbelow(MOST_SEED)
    wanted = _Wanted(seconds, rate, chosen_seed, names, file, yes, public)
    if list_:
        _print_kinds(settings, wanted)
        return
    if file is not None:
        _check_writable(file)
    try:
        report = asyncio.run(_run(settings, wanted))
    except SirenError as error:
        fail(error)
    raise typer.Exit(1 if report.violations else 0)


def _print_kinds(settings: Settings, wanted: _Wanted) -> None:
    from cluster.chaos.ground import faults_of  # noqa: PLC0415 - takes a second
    from cluster.chaos.guard import Guard  # noqa: PLC0415 - as above

    for fault in faults_of(settings, settings.port, Guard(), wanted.seed):
        typer.echo(f"{fault.name:26}{fault.group}: {fault.words}")


async def _run(settings: Settings, wanted: _Wanted) -> "Report":
    from cluster.chaos.ground import Ground, faults_of  # noqa: PLC0415 - takes a second
    from cluster.chaos.guard import Guard  # noqa: PLC0415 - as above
    from cluster.chaos.plan import chosen  # noqa: PLC0415 - as above
    from cluster.chaos.report import Report  # noqa: PLC0415 - as above
    from cluster.chaos.screen import Screen  # noqa: PLC0415 - as above
    from cluster.chaos.storm import Storm  # noqa: PLC0415 - as above

    with Guard() as guard:
        try:
            ground = Ground(settings)
            begun_at = datetime.now(UTC).isoformat(timespec="seconds")
            report = Report(ground.url, wanted.seed, wanted.rate, wanted.seconds, begun_at)
            screen = Screen(console, report)
            clients = await ground.clients(screen.last_fault)
            if not wanted.public:
                ground.check_own()
            every = faults_of(settings, ground.node.port, guard, wanted.seed)
            faults, report.left_out = ground.possible(chosen(every, wanted.names))
            storm = Storm(settings, clients, faults, report, screen)
        except SirenError as error:
            _refuse(error.detail)
        _confirm(ground.url, settings, wanted)
        try:
            await _shown(storm, screen)
        finally:
            if wanted.file is not None:
                text = json.dumps(report.as_json(), indent=2, ensure_ascii=False)
                wanted.file.write_text(f"{text}\n")
    screen.summarize()
    return report


async def _shown(storm: "Storm", screen: "Screen") -> None:
    """Run a storm; the first signal ends its faults, and the second one ends everything."""
    work = asyncio.ensure_future(storm.run())

    def interrupted() -> None:
        if storm.over.is_set():
            work.cancel()
        storm.report.interrupted = True
        storm.over.set()

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, interrupted)
    with screen.showing(storm):
        while not work.done():
            await asyncio.wait((work,), timeout=TICK_S)
            screen.tick()
    try:
        await work
    except asyncio.CancelledError:
        raise typer.Exit(128 + signal.SIGINT) from None


def _confirm(url: str, settings: Settings, wanted: _Wanted) -> None:
    if wanted.yes:
        return
    if not sys.stdin.isatty():
        _refuse("nobody can be asked here whether to break it: repeat it with --yes")
    console.print(
        f"This kills and stops processes of the system at {url}, on "
        f"{settings.data_dir.absolute()}, and locks its databases, for {wanted.seconds:.0f} s. "
        f"About {wanted.seconds * wanted.rate:,.0f} orders will stay in it.",
        soft_wrap=True,
    )
    typer.confirm("Go on?", abort=True)


def _check_writable(file: Path) -> None:
    try:
        file.open("a").close()
    except OSError as error:
        _refuse(f"cannot write {file}: {error.strerror}")


def _refuse(words: str) -> NoReturn:
    problems.print(f"[red]siren:[/red] {escape(words)}")
    raise typer.Exit(MISUSE)
