"""`siren config`: what is set, where it came from, and what is changed while the system runs."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.text import Text

from actors.contracts.errors import SirenError
from actors.runtime.live_settings import LiveValues, with_live
from actors.settings import Settings
from cluster.on_nodes import Address, SettingsFile
from cluster.operations.live_changes import check_name, read_live, set_live, unset_live
from cluster.operations.running_system import joined
from cluster.operations.settings_report import DEFAULT, Setting, settings_of, shown, text_of
from cluster.terminal import Data, console, fail, problems, settings_here, wrong_settings

app = typer.Typer()
INDENT = " " * 4
FOLLOW_S = 30.0
"""For all processes to follow a change; then those are named that do not."""
LOOK_S = 5.0
"""The same for a list, which changes nothing."""
OF_SERVE = "gateway_"
"""What the names of settings begin with that Ray Serve goes by."""

Name = Annotated[str, typer.Argument(help="Its name, as `siren config` shows it.")]
Change = Callable[[Settings], Coroutine[Any, Any, LiveValues]]


@app.callback(invoke_without_command=True)
def config(
    context: typer.Context,
    data: Data = None,
    address: Address = None,
    file: SettingsFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,  # noqa: FBT002
) -> None:
    """List all settings: value, default, where it came from, meaning; no secret is shown.

    They are those of the system that runs, else those that it would be started with. What is set
    live (`siren config set`) goes before the variables of the environment, SIREN_NAME, and these
    before the lines `name = value` of the TOML file that SIREN_CONFIG names. What takes a deploy is
    changed there, and by `siren deploy`; what takes a restart, by `siren down` and `siren up`.
    """
    if context.invoked_subcommand is not None:
        return
    with _joined(data, address, file) as (settings, is_running):
        live = _read(settings)
        found = settings_of(settings, live)
        if as_json:
            typer.echo(json.dumps([asdict(setting) for setting in found], indent=2))
            return
        for setting in found:
            _print(setting)
        if is_running:
            _tell_followers(live.version, LOOK_S)


@app.command(name="set")
def set_(
    name: Name,
    value: Annotated[str, typer.Argument(help="As a variable of the environment would have it.")],
    data: Data = None,
    address: Address = None,
    file: SettingsFile = None,
) -> None:
    """Change a setting while the system runs, and wait until every process follows it.

    It stays so, whatever else says something of it, also after a restart: until `siren config
    unset`. Where nothing runs, the next start has it. Exit code 1 where a process does not follow.
    """
    _change(name, lambda settings: set_live(settings, name, value), data, address, file)


@app.command()
def unset(
    name: Name, data: Data = None, address: Address = None, file: SettingsFile = None
) -> None:
    """Let a setting be again what the system was started with; the contrary of `set`."""
    _change(name, lambda settings: unset_live(settings, name), data, address, file)


def _change(name: str, change: Change, data: Data, address: Address, file: SettingsFile) -> None:
    with _joined(data, address, file) as (settings, is_running):
        check_name(name)
        of_serve = is_running and name.startswith(OF_SERVE)
        if is_running:  # before the change: it takes seconds
            from cluster.operations import followers  # noqa: F401, PLC0415
            from cluster.running import live_gateway  # noqa: PLC0415
        with live_gateway.changing_gateway() if of_serve else nullcontext(settings) as started:
            live = asyncio.run(change(started))
            began = time.monotonic()
            now, _ = with_live(started, live)
            value = text_of(shown(name, getattr(now, name)))
            console.print(Text(f"{name} = {value}"), soft_wrap=True)
            if of_serve:
                live_gateway.reconfigure_gateway(now)
        if not is_running:
            console.print("nothing runs: the next start has it")
        elif not _tell_followers(live.version, FOLLOW_S, began):
            raise typer.Exit(1)


def _read(settings: Settings) -> LiveValues:
    try:
        return asyncio.run(read_live(settings))
    except SirenError as error:  # all else can be listed
        problems.print(f"what is set live cannot be read: {escape(error.detail)}")
        return LiveValues()


def _tell_followers(version: int, within_s: float, began: float | None = None) -> bool:
    """Say which processes follow a version of the live settings; False where not all do."""
    from cluster.operations.followers import wait_until_followed  # noqa: PLC0415 - imports Ray

    found = wait_until_followed(version, within_s)
    behind = [each.name for each in found if each.version < version]
    refusing = {each.name: each.facts["refused"] for each in found if each.facts}
    for name, refused in refusing.items():
        for setting, why in refused.items():
            problems.print(f"[red]{escape(name)}[/red] does not follow {setting}: {escape(why)}")
    if behind:
        problems.print(
            f"[red]siren:[/red] version {version} is not followed by {', '.join(behind)}"
        )
        return False
    after = "" if began is None else f" after {time.monotonic() - began:.1f} s"
    console.print(
        f"version {version} of the live settings: followed by all {len(found)} processes{after}"
    )
    return True


@contextmanager
def _joined(data: Data, address: Address, file: SettingsFile) -> Iterator[tuple[Settings, bool]]:
    """Join the system that is meant; what goes wrong in the block ends the command."""
    try:
        with joined(settings_here(data), address, file, given=data is not None) as found:
            yield found
    except ValidationError as error:
        wrong_settings(error)
    except SirenError as error:
        fail(error)


def _print(setting: Setting) -> None:
    value = Text(f"{setting.name} = {text_of(setting.value)}", style="bold")
    console.print(value, soft_wrap=True)
    facts = [setting.origin]
    if setting.since is not None:
        facts = [f"{setting.origin} since {setting.since}, else {text_of(setting.without)}"]
    if setting.origin != DEFAULT:
        facts.append(f"default {text_of(setting.default)}")
    facts.append("changes live" if setting.takes is None else f"takes a {setting.takes}")
    console.print(Text(f"{INDENT}{' · '.join(facts)}", style="cyan"), soft_wrap=True)
    console.print(Text(f"{INDENT}{setting.meaning}"), soft_wrap=True)
