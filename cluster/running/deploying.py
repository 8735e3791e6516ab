"""The system on a Ray that runs: put there, replaced by another version, taken off.

One function, `prepared`, is underneath all ways: `siren deploy`, and `application`, which Serve
calls for `serve deploy`, a RayService or the dashboard.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from ray import serve
from ray.exceptions import RayError
from sqlalchemy.exc import DBAPIError

from actors.contracts.errors import SirenError
from actors.installation import Installation
from actors.runtime.ray_actors import end
from actors.settings import Settings
from cluster.operations.live_changes import effective
from cluster.peers import PEERS
from cluster.running.bootstrap import Report, prepare_databases
from cluster.running.deploy_lock import only_deploy
from cluster.running.former import Former, find_former, replace_actors, siren_actors, watch
from cluster.running.gateway_rollout import APPLICATION, roll_out, unfinished
from cluster.running.node_settings import cluster_settings
from cluster.running.places import OnCluster, Place, check_same_databases
from cluster.running.schemas import check_running_version, end_of_older_code
from cluster.running.trial import preflight, try_out
from serve_app.gateway import deployment

PATIENCE_S, SERVE_PATIENCE_S = 180.0, 45.0
"""For nodes that are being updated. Serve tries a failed build four times, and tells nobody why."""
ROLL_OUT_S = 300.0
WATCH_S = 5.0
FAULTS = (SirenError, RayError, RuntimeError, TimeoutError, OSError, DBAPIError)
"""What a version, Ray, Serve or a database may answer to a deploy."""


class Prepared(NamedTuple):
    """Databases and actors are of this installation; what Serve shall run, and what ran before."""

    gateway: serve.Application
    installation: Installation
    former: Former


def deploy(settings: Settings, place: Place, report: Report) -> Installation:
    """Put the system where this process has joined Ray, in the place of what is there.

    Orders are taken all the while: the databases are prepared first, the new version is tried
    beside the old one, then each actor is replaced by itself, then the gateway's replicas in
    turns. Returns once all of them have answered for some seconds. Raises `SirenError` where that
    cannot be safe, where another deploy is under way, or where the version does not work: all is
    as before then.
    """
    place.check(settings)
    with _in_a_sentence("the deploy failed"), only_deploy():
        done = prepared(settings, place, report, PATIENCE_S)
        with _or_as_before(done.former, report):
            report("replacing the gateway")
            place.start_serve(settings)
            roll_out(done.gateway, ROLL_OUT_S)
            report("watching the new version")
            watch(done.installation, WATCH_S, unfinished)
    return done.installation


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
    place = OnCluster()
    place.check(settings)
    report = logging.getLogger("ray.serve").info
    with only_deploy():
        return prepared(settings, place, report, SERVE_PATIENCE_S).gateway


def prepared(settings: Settings, place: Place, report: Report, patience_s: float) -> Prepared:
    """Bring databases and actors to these settings and this code; return the gateway to be run.

    The caller keeps other deploys out. Raises as `deploy` does, also where nodes have other code
    for longer than `patience_s`.
    """
    place.wait_for_code(report, patience_s)
    former = find_former()
    running: dict[str, int] = {}
    if former.installation is not None:
        check_same_databases(former.installation.settings, settings)
        running = dict(former.installation.release.schemas)
        asyncio.run(check_running_version(settings, running))
    release = place.release(uuid4().hex)
    if former.is_there:
        preflight(Installation(settings, b"", 1, release), report)
    chosen = settings.order_hosts if "order_hosts" in settings.model_fields_set else None
    nodes = place.nodes(report)
    with _or_as_before(former, report):
        report("preparing the databases")
        databases = prepare_databases(settings, report, chosen, nodes, release)
        installation = asyncio.run(databases)
        secrets = place.secrets(installation)
        if former.is_there:
            try_out(installation, *secrets, report)
        replace_actors(installation, report)
        if former.is_there:
            asyncio.run(end_of_older_code(settings, running))
        now = asyncio.run(effective(settings))
        gateway = deployment(installation, PEERS, *secrets, now=now, one_a_node=place.one_a_node)
    return Prepared(gateway, installation, former)


@contextmanager
def _or_as_before(former: Former, report: Report) -> Iterator[None]:
    """Bring back what ran before where the block fails, and say so."""
    try:
        yield
    except FAULTS as error:
        cause = _sentence(error)
        if not former.is_there:
            raise
        try:
            former.bring_back(report)
        except SirenError as fault:
            detail = f"{cause}; and not all of the former version came back: {fault.detail}"
            raise SirenError("not_brought_back", detail) from error
        raise SirenError("deploy_failed", f"{cause}; the former version runs on") from error


def undeploy(report: Report) -> bool:
    """Take the system off the cluster, and return whether there was any; no order is lost by it.

    Raises `SirenError` where that fails, or where a deploy is under way.
    """
    with _in_a_sentence("the system could not be taken off"), only_deploy():
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


@contextmanager
def _in_a_sentence(what: str) -> Iterator[None]:
    """Say in one sentence what Ray, Serve or a database says on many lines: the cause."""
    try:
        yield
    except SirenError as error:
        if error.code == "deploy_under_way":
            raise
        raise SirenError(error.code, f"{what}: {error.detail}") from error
    except FAULTS as error:
        raise SirenError("deploy_failed", f"{what}: {_sentence(error)}") from error


def _sentence(error: Exception) -> str:
    if isinstance(error, SirenError):
        return error.detail
    if isinstance(error, DBAPIError):  # a user of the database who may not make tables, say
        return f"the database says {str(error.orig).strip().partition(chr(10))[0]}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
