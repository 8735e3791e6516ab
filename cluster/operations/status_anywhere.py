"""`siren status`, of one machine's system or of a cluster's: which one is meant, and its nodes."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table

from actors.contracts.errors import SirenError, Unavailable
from actors.runtime.database_faults import sqlite_files
from actors.runtime.lock_file import DATA_DIR, RAY_ADDRESS, is_held
from actors.settings import Settings
from cluster.operations import status
from cluster.operations.database_urls import check_urls
from cluster.operations.status import ANSWER_S, Facts, Part, Status
from cluster.running.node_settings import cluster_settings


def report(settings: Settings, address: str | None, file: Path | None, *, given: bool) -> Status:
    """Return the report on the system that is meant; `given`: its data folder was named.

    Raises `SirenError`, or `pydantic.ValidationError`, where the settings are not usable.
    """
    check_urls(settings)
    if address is None and is_of_a_folder(settings, given=given):
        return status.describe(settings)
    found = cluster_of(address)
    return status.describe(settings) if found is None else _describe(found, file)


def is_of_a_folder(settings: Settings, *, given: bool) -> bool:
    """Return whether a data folder's system is meant: it was named, or runs."""
    return bool(given or os.environ.get(DATA_DIR)) or is_held(settings.data_dir.absolute())


def cluster_of(address: str | None) -> str | None:
    """Return the address of the cluster that is meant; None where none is."""
    from cluster.running.cluster_address import cluster_address  # noqa: PLC0415 - Ray's imports

    try:
        return cluster_address(address)
    except Unavailable:
        if os.environ.get(RAY_ADDRESS):
            raise
        return None


def _describe(address: str, file: Path | None) -> Status:
    deadline = time.monotonic() + ANSWER_S
    settings = cluster_settings(file)
    check_urls(settings)
    nobody = threading.Event()
    parts = [Part("cluster", lambda: _cluster(address, settings.port, nobody))]
    if not sqlite_files(settings):
        parts.append(Part("databases", lambda: [asyncio.run(status.numbers(settings))]))
    shown = [part.shown(deadline) for part in parts]
    silent = [part.title for part in parts if not part.well]
    problem = f"not all could be asked: {', '.join(silent)}" if silent else None
    if problem is None and nobody.is_set():
        problem = f"the system is not on the cluster at {address}: put it there by `siren deploy`"
    return Status(Group(*shown), problem, any(part.hangs for part in parts))


def _cluster(address: str, port: int, nobody: threading.Event) -> Iterator[Group]:
    """Yield nodes and actors; `nobody` is set where there are none of the system's."""
    import ray  # noqa: PLC0415 - as above

    from cluster.operations import actors_status  # noqa: PLC0415
    from cluster.running.cluster_address import join_cluster  # noqa: PLC0415

    join_cluster(address)
    try:
        known: list[Facts] = ray.nodes()  # type: ignore[no-untyped-call]
        living = {node["NodeManagerAddress"] for node in known if node["Alive"]}
        gone = {node["NodeManagerAddress"]: node for node in known if not node["Alive"]}
        nodes = [node for node in known if node["Alive"]]
        nodes += [node for where, node in gone.items() if where not in living]
        with ThreadPoolExecutor(max(1, len(nodes))) as threads:
            gateways = list(threads.map(lambda node: _gateway(node, port), nodes))
        title = f"Siren Order on the cluster at {address}"
        columns = ("node", "state", "gateway", "metrics")
        table = Table(*columns, title=title, title_justify="left")
        for node, answer in zip(nodes, gateways, strict=True):
            table.add_row(node["NodeManagerAddress"], _state(node), answer, _metrics(node))
        for actors in actors_status.actors():
            if not actors.row_count:
                nobody.set()
            yield Group(table, actors)
    finally:
        ray.shutdown()


def _state(node: Facts) -> str:
    from actors.runtime.placement import HEAD  # noqa: PLC0415 - as above

    if not node["Alive"]:
        reason: Any = node.get("DeathReasonMessage") or ""
        return f"dead {reason}".strip()
    return "head" if HEAD in node["Resources"] else "worker"


def _metrics(node: Facts) -> str:
    if not node["Alive"]:
        return "-"
    return f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"


def _gateway(node: Facts, port: int) -> str:
    if not node["Alive"]:
        return "-"
    try:
        status.gateway(f"http://{node['NodeManagerAddress']}:{port}")
    except SirenError as error:
        return error.detail
    return "answers"
