"""`siren config`: what is set, where it came from, and what takes a restart."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from cluster.operations.settings_report import DEFAULT, Setting, settings_of, text_of
from cluster.terminal import Data, console, settings_here

app = typer.Typer()
INDENT = 4


@app.callback(invoke_without_command=True)
def config(
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,  # noqa: FBT002
) -> None:
    """List all settings: value, default, where it came from, meaning; no secret is shown.

    A setting is given by a variable of the environment, SIREN_NAME, or by a line `name = value` of
    the TOML file that SIREN_CONFIG names; the environment goes before the file.
    """
    found = settings_of(settings_here(data))
    if as_json:
        typer.echo(json.dumps([asdict(setting) for setting in found], indent=2))
        return
    for setting in found:
        _print(setting)


def _print(setting: Setting) -> None:
    value = Text(f"{setting.name} = {text_of(setting.value)}", style="bold")
    console.print(value, soft_wrap=True)
    facts = [setting.origin]
    if setting.origin != DEFAULT:
        facts.append(f"default {text_of(setting.default)}")
    facts.append("changes live" if setting.live else "takes a restart")
    console.print(Text(f"{' ' * INDENT}{' · '.join(facts)}", style="cyan"), soft_wrap=True)
    console.print(Text(f"{' ' * INDENT}{setting.meaning}"), soft_wrap=True)
