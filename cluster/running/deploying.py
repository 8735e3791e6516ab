"""The system on a Ray cluster that runs: put there, replaced by another version, taken off.

One function, `prepared`, is underneath all ways: `siren deploy`, and `application`, which Serve
calls for `serve deploy`, a RayService or the dashboard.
"""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve.context import _get_global_client
from ray.serve.schema import LoggingConfig
from sqlalchemy.exc import DBAPIError

from actors.contracts.errors import SirenError
from actors.installation import Installation
from actors.order.actor import DEDICATED_PREFIX
from actors.peers import ORDER_HOST
from actors.runtime.database_faults import sqlite_files
from actors.runtime.moving import DEPLOY_LOCK
from actors.runtime.placement import workers
from actors.runtime.ray_actors import NAMESPACE, end, replace
from actors.settings import Settings
from cluster.peers import PEERS
from cluster.running.bootstrap import (
    APPLICATION,
    Report,
    check,
    prepare_databases,
    start_actors,
)
from cluster.running.node import edge_secret
from cluster.running.node_settings import HOST, cluster_settings
from cluster.running.same_code import wait_until_same
from serve_app.gateway import deployment

PATIENCE_S, SERVE_PATIENCE_S = 180.0, 45.0
"""For nodes that are being updated. Serve tries a failed build four times, and tells nobody why."""
QUIET = LoggingConfig(log_level="WARNING", enable_access_log=False)


def check_for_cluster(settings: Settings) -> None:
    """Refuse what cannot work on several machines; raises `SirenError` with one clear sentence."""
    check(settings)
    if on_files := sqlite_files(settings):
        detail = (
            "a cluster needs PostgreSQL: set SIREN_DATABASE_URL; in SQLite files, which are one "
            f"machine's alone, would be {', '.join(on_files)}"
        )
        raise SirenError("sqlite_on_a_cluster", detail)


def deploy(settings: Settings, report: Report) -> Installation:
    """Put the system on the cluster that this process has joined, in the place of what is there.

    Orders are taken all the while: the databases are prepared first, then each actor is replaced
    by itself, then the gateway's replicas in turns. Returns once all of them answer. Raises
    `SirenError` where that cannot be safe, or where another deploy is under way.
    """
    check_for_cluster(settings)
    with _in_a_sentence("the deploy failed"), _only_deploy():
        _check_port(settings)
        application, installation = prepared(settings, report, PATIENCE_S)
        report("replacing the gateway")
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        # Replicas answer HAProxy of each node; for anybody else they lack its secret.
        options = {"host": HOST, "port": settings.port}
        serve.start(proxy_location="EveryNode", http_options=options, logging_config=QUIET)
        serve.run(application, name=APPLICATION, route_prefix="/", logging_config=QUIET)
    return installation


def application(args: dict[str, Any]) -> serve.Application:
    """Build the system for Serve: the `import_path` of its configuration files.

    `args` are settings by their names in small letters, without SIREN_; `settings_file` names a
    file of further ones, on every node, and `version` is whatever changes with the code: Serve
    replaces nothing where nothing of the arguments has changed.
    """
    given = dict(args)
    given.pop("version", None)
    file = given.pop("settings_file", None)
    settings = cluster_settings(None if file is None else Path(file), **given)
    check_for_cluster(settings)
    report = logging.getLogger("ray.serve").info
    with _only_deploy():
        return prepared(settings, report, SERVE_PATIENCE_S)[0]


def prepared(
    settings: Settings, report: Report, patience_s: float
) -> tuple[serve.Application, Installation]:
    """Bring databases and actors to these settings and this code; return the gateway to be run.

    The caller keeps other deploys out. Raises as `deploy` does, also where nodes have other code
    for longer than `patience_s`.
    """
    wait_until_same(report, patience_s)
    chosen = settings.order_hosts if "order_hosts" in settings.model_fields_set else None
    nodes = len(workers())
    if not nodes:
        report("only the head has joined: with more machines there, deploy again to spread orders")
    report("preparing the databases")
    installation = asyncio.run(prepare_databases(settings, report, chosen, nodes))
    _replace_actors(installation, report)
    gateway = deployment(
        installation, PEERS, _token_secret(installation), edge_secret(), one_a_node=True
    )
    return gateway, installation


def undeploy(report: Report) -> bool:
    """Take the system off the cluster, and return whether there was any; no order is lost by it.

    Raises `SirenError` where that fails, or where a deploy is under way.
    """
    with _in_a_sentence("the system could not be taken off"), _only_deploy():
        names = siren_actors()
        applications = serve.status().applications
        was_there = bool(names) or APPLICATION in applications
        if APPLICATION in applications:
            report("stopping the gateway")
            serve.delete(APPLICATION)
            if applications.keys() == {APPLICATION}:
                serve.shutdown()  # type: ignore[no-untyped-call]
        if names:
            report("stopping the actors")
        # Whoever is still there creates the others again: hosts go first, and all are looked for.
        while names := siren_actors():
            for name in sorted(names):
                end(name)
        return was_there


def siren_actors() -> list[str]:
    """Return the names of the system's actors that live on this cluster."""
    found = ray.util.list_named_actors(all_namespaces=True)
    return [actor["name"] for actor in found if actor["namespace"] == NAMESPACE]


def _replace_actors(installation: Installation, report: Report) -> None:
    before = siren_actors()
    wanted = PEERS.creations(installation)
    if not before:
        report("starting the actors")
        start_actors(installation)
        return
    for name, create in wanted.items():
        report(f"replacing {name}")
        replace(name, create, installation)
    for name in before:
        superfluous = name.startswith(ORDER_HOST) and name not in wanted
        if superfluous or name.startswith(DEDICATED_PREFIX):
            end(name)


def _check_port(settings: Settings) -> None:
    """Raise `SirenError` where Serve runs with another port: it takes a new one when it starts."""
    client: Any = _get_global_client(raise_if_no_controller_running=False)
    if client is not None and (port := client.http_config.port) != settings.port:
        detail = (
            f"Serve listens on port {port} of this cluster, and cannot be moved to {settings.port} "
            f"while it runs: `siren undeploy` first, or set SIREN_PORT={port}"
        )
        raise SirenError("other_port", detail)


@contextmanager
def _in_a_sentence(what: str) -> Iterator[None]:
    """Say in one sentence what Ray, Serve or a database says on many lines: the cause."""
    try:
        yield
    except DBAPIError as error:  # a user of the database who may not make tables, say
        first = str(error.orig).strip().partition("\n")[0]
        raise SirenError("deploy_failed", f"{what}: the database says {first}") from error
    except (RayError, RuntimeError, TimeoutError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        cause = lines[-1] if lines else type(error).__name__
        raise SirenError("deploy_failed", f"{what}: {cause}") from error


@contextmanager
def _only_deploy() -> Iterator[None]:
    """Keep other deploys out: each would replace what the other has just created, for ever."""
    options = {"name": DEPLOY_LOCK, "namespace": DEPLOY_LOCK, "num_cpus": 0}
    try:
        lock = _Lock.options(**options).remote()  # type: ignore[attr-defined]
    except ValueError as error:
        detail = "another deploy is under way on this cluster: wait until it is over"
        raise SirenError("deploy_under_way", detail) from error
    try:
        yield
    finally:
        ray.kill(lock)


@ray.remote
class _Lock:
    """Its name is the lock; Ray ends it together with whoever holds it."""


def _token_secret(installation: Installation) -> bytes:
    """Return what signs tokens: the same on every node, whoever deploys."""
    secret = installation.settings.jwt_secret
    if secret is not None:
        return secret.get_secret_value().encode()
    # Nobody is given such a token: an identity provider signs them here.
    return hmac.new(installation.secret, b"tokens", hashlib.sha256).digest()
