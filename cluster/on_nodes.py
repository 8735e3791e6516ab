"""The commands of `siren` that are for clusters, or for their shells."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
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
    try:
        if address is None and _means_folder(data, folder):
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
    data: Data = None,
    address: Address = None,
    settings: SettingsFile = None,
    order_hosts: Annotated[
        int | None, typer.Option(min=1, max=256, help="Order hosts from now on.")
    ] = None,
) -> None:
    """Put this version and these settings in the place of what runs, or on a Ray cluster.

    Orders are taken and answered all the while, and a version that does not work changes nothing:
    exit code 1 then. On one machine it is the system that `siren up` runs on the data folder; the
    new version lies in a folder of its own, whose `siren deploy` this is. A cluster needs
    PostgreSQL (SIREN_DATABASE_URL) and a secret for tokens (SIREN_JWT_SECRET), from the environment
    or the settings' file.
    """
    given = {} if order_hosts is None else {"order_hosts": order_hosts}
    folder = settings_of(data_dir=data).data_dir.absolute()
    if address is None and settings is None and _means_folder(data, folder):
        _deploy_on_one_machine(folder, given)
        return
    _try_imports()
    with _joined(address):
        from cluster.running import deploying, places  # noqa: PLC0415 - Ray takes seconds

        found = cluster_settings(settings, **given)
        installation = deploying.deploy(found, places.OnCluster(), _say)
    hosts = _count(installation.order_hosts)
    console.print(f"Siren Order is on the cluster, with {hosts}: port {found.port} of each node")


def _deploy_on_one_machine(folder: Path, given: dict[str, int]) -> None:
    environment.prepare()
    found = settings_of(data_dir=folder, **given)
    try:
        address = ray_address(folder)
    except SirenError as error:
        fail(error)
    _try_imports()
    with _joined(address):
        from cluster.running import deploying, places  # noqa: PLC0415 - as above

        place = places.OnOneMachine(folder)
        found = place.settings(found)
        installation = deploying.deploy(found, place, _say)
    hosts = _count(installation.order_hosts)
    console.print(f"Siren Order on {folder} is of this version, with {hosts}", soft_wrap=True)


def _try_imports() -> None:
    """End the command with one sentence where this version cannot even be imported."""
    try:
        import_module("cluster.running.deploying")
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing has been changed
        words = f"the new version does not work: {type(error).__name__}: {error}"
        fail(SirenError("failed_trial", f"{words}; nothing was changed"))


def _means_folder(data: Path | None, folder: Path) -> bool:
    return data is not None or bool(os.environ.get(DATA_DIR)) or is_held(folder)


def _count(hosts: int) -> str:
    return f"{hosts} order host{'' if hosts == 1 else 's'}"


def _say(step: str) -> None:
    console.print(f"· {step}", soft_wrap=True)


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
