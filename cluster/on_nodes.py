"""The commands of `siren` that are for clusters, or for their shells."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from actors.contracts.errors import SirenError, Unavailable
from actors.runtime.lock_file import DATA_DIR, is_held, ray_address
from cluster.running import environment
from cluster.running.node_settings import cluster_settings
from cluster.terminal import Data, console, fail, settings_of, wrong_settings

app = typer.Typer()

Address = Annotated[
    str | None,
    typer.Option(help="The cluster's head, as host:port. (default: $RAY_ADDRESS, or this node's)"),
]
SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        help="File of SIREN_NAME=value lines. "
        "(default: ~/.siren/siren.env, else /etc/siren/siren.env)",
    ),
]


@app.command()
def env(data: Data = None, address: Address = None) -> None:
    """Print what to export so that Ray's own commands and scripts reach this system.

    For a shell: eval "$(siren env)". Then `ray status` and
    `ray.init(address="auto")` work, and `Siren.connect()` means this system. Where nothing runs on
    the data folder, that is the cluster of --address, of RAY_ADDRESS, or that this machine is a
    node of.
    """
    folder = settings_of(data_dir=data).data_dir.absolute()
    named = data is not None or os.environ.get(DATA_DIR)
    try:
        if address is None and (named or is_held(folder)):
            found = environment.exports(ray_address(folder), folder)
        else:
            found = environment.exports(_cluster_or_up(address, folder))
    except SirenError as error:
        fail(error)
    for name, value in found.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def _cluster_or_up(address: str | None, folder: Path) -> str:
    from cluster.running.cluster_address import cluster_address  # noqa: PLC0415 - as below

    try:
        return cluster_address(address)
    except Unavailable:
        ray_address(folder)  # says what to do on one machine
        raise


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def node(command: Annotated[list[str], typer.Argument(help="What to run: ray start …")]) -> None:
    """Run a command, `ray start` above all, with what a node of a cluster needs around it.

    Prepares HAProxy and the environment that Ray and Serve read when they start. `siren node env`
    prints the environment instead, for a shell: eval "$(siren node env)". A `ray start` that was
    too slow for Ray itself, on a busy machine, is tried again.
    """
    from cluster.running import ray_start  # noqa: PLC0415 - as below
    from cluster.running.node import (  # noqa: PLC0415 - its imports take a moment
        environment_of,
        for_shells,
    )

    try:
        variables = environment_of()
    except SirenError as error:
        fail(error)
    if command == ["env"]:
        for name, value in for_shells(variables).items():
            typer.echo(f"export {name}={shlex.quote(value)}")
        return
    try:
        if ray_start.is_start(command):
            raise typer.Exit(ray_start.start(command, os.environ | variables))
        os.execvpe(command[0], command, os.environ | variables)  # noqa: S606 - no shell is wanted
    except OSError as error:
        fail(SirenError("no_command", f"cannot run {command[0]}: {error.strerror}"))


@app.command()
def deploy(
    address: Address = None,
    settings: SettingsFile = None,
    order_hosts: Annotated[
        int | None, typer.Option(min=1, max=256, help="Order hosts from now on.")
    ] = None,
) -> None:
    """Put the system on a Ray cluster that runs, or this version and settings in its place.

    Orders are taken and answered all the while. Needs PostgreSQL (SIREN_DATABASE_URL) and a secret
    for tokens (SIREN_JWT_SECRET), from the environment or the settings' file.
    """
    given = {} if order_hosts is None else {"order_hosts": order_hosts}
    with _joined(address):
        from cluster.running import deploying  # noqa: PLC0415 - Ray takes seconds

        found = cluster_settings(settings, **given)
        installation = deploying.deploy(found, lambda step: console.print(f"· {step}"))
    count = installation.order_hosts
    hosts = f"{count} order host{'' if count == 1 else 's'}"
    console.print(f"Siren Order is on the cluster, with {hosts}: port {found.port} of each node")


@app.command()
def undeploy(address: Address = None) -> None:
    """Take the system off a Ray cluster; every acknowledged order stays in the databases."""
    with _joined(address):
        from cluster.running import deploying  # noqa: PLC0415 - as above

        was_there = deploying.undeploy(lambda step: console.print(f"· {step}"))
    console.print("taken off" if was_there else "the system is not on this cluster")


@contextmanager
def _joined(address: str | None) -> Iterator[None]:
    """Be in a cluster while the block lasts; what goes wrong there ends the command."""
    import ray  # noqa: PLC0415 - as above

    from cluster.running.cluster_address import join_cluster  # noqa: PLC0415 - as above

    try:
        join_cluster(address)
        yield
    except ValidationError as error:
        wrong_settings(error)
    except SirenError as error:
        fail(error)
    finally:
        ray.shutdown()
