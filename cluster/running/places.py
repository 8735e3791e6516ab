"""Where a deploy puts the system: a Ray cluster, or the one machine on which `siren up` runs.

What differs between them is here, and nothing else of a deploy.
"""

import hashlib
import hmac
import json
import os
import sys
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from ray import serve
from ray.serve.context import _get_global_client
from sqlalchemy import make_url

from actors.contracts.errors import SirenError
from actors.installation import Installation, Release
from actors.runtime.database_faults import sqlite_files
from actors.runtime.lock_file import read_holder
from actors.runtime.placement import workers
from actors.settings import SERVICES, Settings, variable
from cluster.running.bootstrap import Report, check
from cluster.running.gateway_rollout import QUIET
from cluster.running.node import edge_secret
from cluster.running.node_settings import HOST
from cluster.running.same_code import wait_until_same
from cluster.running.schemas import known_schemas
from cluster.running.token_secret import make_secret


class Place(Protocol):
    """What a deploy asks of where it is."""

    one_a_node: bool

    def check(self, settings: Settings) -> None:
        """Refuse what cannot work there; raises `SirenError` with one clear sentence."""

    def wait_for_code(self, report: Report, patience_s: float) -> None:
        """Wait until this code is wherever it is needed; raises `SirenError` where it is not."""

    def release(self, name: str) -> Release:
        """Return what a deploy of this name puts there."""

    def nodes(self, report: Report) -> int:
        """Return how many nodes orders are spread over."""

    def secrets(self, installation: Installation) -> tuple[bytes, str]:
        """Return what signs tokens, and what HAProxy adds to each request."""

    def start_serve(self, settings: Settings) -> None:
        """Let Serve run there."""


class OnCluster:
    """Nodes that have joined a Ray cluster. Their code is replaced in its place, on each one."""

    one_a_node = True

    def check(self, settings: Settings) -> None:
        """Refuse databases in files, and another port than Serve has."""
        check_for_cluster(settings)
        client: Any = _get_global_client(raise_if_no_controller_running=False)
        if client is not None and (port := client.http_config.port) != settings.port:
            detail = (
                f"Serve listens on port {port} of this cluster, and cannot be moved to "
                f"{settings.port} while it runs: `siren undeploy` first, or set SIREN_PORT={port}"
            )
            raise SirenError("other_port", detail)

    def wait_for_code(self, report: Report, patience_s: float) -> None:
        """Wait for nodes that are being updated."""
        wait_until_same(report, patience_s)

    def release(self, name: str) -> Release:
        """Return a release on the code that each node has."""
        return Release(name, schemas=known_schemas())

    def nodes(self, report: Report) -> int:
        """Return how many workers there are."""
        count = len(workers())
        if not count:
            report("only the head has joined: deploy again once there are others, to spread orders")
        return count

    def secrets(self, installation: Installation) -> tuple[bytes, str]:
        """Return those of the cluster: the same on every node, whoever deploys."""
        return token_secret(installation), edge_secret()

    def start_serve(self, settings: Settings) -> None:
        """Start Serve, where it does not run, with HAProxy on every node."""
        # Replicas answer HAProxy of each node; for anybody else they lack its secret.
        options = {"host": HOST, "port": settings.port}
        serve.start(proxy_location="EveryNode", http_options=options, logging_config=QUIET)


class OnOneMachine:
    """The system that `siren up` runs on a data folder. Each version has a folder of its own.

    Processes of a release run on the interpreter that deployed it, so two versions live side by
    side, and the folder of the former one is needed until nothing runs on it.
    """

    one_a_node = False

    def __init__(self, folder: Path) -> None:
        self._holder = read_holder(folder)

    def settings(self, given: Settings) -> Settings:
        """Return settings with the address that the running system has.

        Raises `SirenError` where another one is given: that takes a restart.
        """
        host, _, port = str(self._holder.get("url", "")).rpartition("/")[2].rpartition(":")
        metrics = urlsplit(str(self._holder.get("metrics", ""))).port
        address: dict[str, Any] = {"host": host, "port": int(port or 0)}
        for name, held in (address | {"metrics_port": metrics}).items():
            if name in given.model_fields_set and getattr(given, name) != held:
                detail = (
                    f"{variable(name)} is {held} for as long as `siren up` runs: to change "
                    f"it to {getattr(given, name)}, `siren down`, then `siren up`"
                )
                raise SirenError("needs_restart", detail)
        return given.model_copy(update=address)

    def check(self, settings: Settings) -> None:
        """Refuse what `siren up` refuses."""
        check(settings)

    def wait_for_code(self, report: Report, patience_s: float) -> None:
        """Do nothing: the code is this folder's."""

    def release(self, name: str) -> Release:
        """Return a release on the interpreter of this process."""
        return Release(name, sys.executable, os.environ.get("PYTHONPATH", ""), known_schemas())

    def nodes(self, report: Report) -> int:  # noqa: ARG002 - as elsewhere
        """Return none: order hosts are not spread here."""
        return 0

    def secrets(self, installation: Installation) -> tuple[bytes, str]:
        """Return the data folder's, and that of the HAProxy that runs."""
        edge = Path(str(self._holder.get("run"))) / "edge.json"
        try:
            secret: str = json.loads(edge.read_text())["secret"]
        except (OSError, ValueError, KeyError) as error:
            detail = f"cannot read {edge}, which `siren up` has made: start the system again"
            raise SirenError("no_edge", detail) from error
        return make_secret(installation.settings), secret

    def start_serve(self, settings: Settings) -> None:
        """Do nothing: `siren up` has."""


def check_for_cluster(settings: Settings) -> None:
    """Refuse what cannot work on several machines; raises `SirenError` with one clear sentence."""
    check(settings)
    if on_files := sqlite_files(settings):
        detail = (
            "a cluster needs PostgreSQL: set SIREN_DATABASE_URL; in SQLite files, which are one "
            f"machine's alone, would be {', '.join(on_files)}"
        )
        raise SirenError("sqlite_on_a_cluster", detail)


def check_same_databases(former: Settings, settings: Settings) -> None:
    """Refuse to move a running system to other databases: for a while, it would write to both.

    Another user, password or option of the same database is fine. Raises `SirenError`.
    """
    for service in SERVICES:
        before, after = (_place_of(each.url(service)) for each in (former, settings))
        if before != after:
            detail = (
                f"the database of {service} is {before}, and would be {after}: databases are moved "
                "while nothing runs on them"
            )
            raise SirenError("other_database", detail)


def _place_of(url: str) -> str:
    parts = make_url(url)
    hosts = parts.query.get("host", parts.host or "")
    place = hosts if isinstance(hosts, str) else ",".join(hosts)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.get_backend_name()}://{place}{port}/{parts.database}"


def token_secret(installation: Installation) -> bytes:
    """Return what signs tokens on a cluster."""
    secret = installation.settings.jwt_secret
    if secret is not None:
        return secret.get_secret_value().encode()
    # Nobody is given such a token: an identity provider signs them here.
    return hmac.new(installation.secret, b"tokens", hashlib.sha256).digest()
