"""The one place that wires everything: databases, Ray, actors, gateway."""

import asyncio
import errno
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ray
from ray import serve
from ray.exceptions import RayTaskError
from ray.serve._private.constants import SERVE_PROXY_NAME

from actors.contracts.errors import Damaged, SirenError, Unavailable
from actors.installation import Installation, Release
from actors.order.ids import SLOTS
from actors.order.journal import ORDER_HOSTS, Journal
from actors.payment.ledger import PaymentLedger
from actors.payment.provider import SimulatedProvider
from actors.runtime.database_faults import file_of
from actors.runtime.health_watch import kept_healthy, watches_over
from actors.runtime.ray_actors import NAMESPACE, described, job_config
from actors.settings import Service, Settings
from actors.store.service import StoreService
from cluster.operations.database_urls import check_urls
from cluster.operations.live_changes import effective, tell_live
from cluster.peers import PEERS
from cluster.running import integrity
from cluster.running.data_folder import held
from cluster.running.emptied import refuse_emptied
from cluster.running.environment import listen_error
from cluster.running.gateway_rollout import APPLICATION, QUIET
from cluster.running.haproxy import Claim
from cluster.running.haproxy_watch import kept_up
from cluster.running.privacy import keep_files_private
from cluster.running.ray_watch import server_pids
from cluster.running.run_folder import remove_if_dead
from cluster.running.schemas import known_schemas
from cluster.running.settings_checks import check_authentication
from cluster.running.stopped import ended_where_stopped
from cluster.running.token_secret import make_secret
from cluster.running.up import ON_RAY
from readmodel.tables import create_tables
from serve_app import controller_watch
from serve_app.gateway import deployment

HOSTS_CHOSEN = "order_hosts_chosen"
"""In `meta`: somebody said how many order hosts a cluster has, so that it stays."""
Report = Callable[[str], None]


def check(settings: Settings) -> None:
    """Refuse what cannot be safe or cannot work; raises `SirenError` with one clear sentence."""
    check_urls(settings)
    check_authentication(settings)


def check_port(settings: Settings) -> None:
    """Raise `SirenError` where the gateway's address is not ours, or its port somebody else's."""
    error = listen_error(settings.host, settings.port)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        detail = f"port {settings.port} on {settings.host} is taken; choose another with --port"
        raise SirenError("port_taken", detail)
    detail = f"cannot listen on {settings.host}, port {settings.port}: {error.strerror}"
    raise SirenError("cannot_listen", detail)


def check_metrics_port(port: int | None) -> None:
    """Raise `SirenError` where the port of the metrics is somebody else's: Ray would not start."""
    if port is not None and listen_error("127.0.0.1", port) is not None:
        detail = f"port {port} is taken: let SIREN_METRICS_PORT name another one"
        raise SirenError("metrics_port_taken", detail)


async def _create_store(url: str) -> None:
    store = StoreService(url)
    try:
        await store.create()
    finally:
        await store.close()


async def _create(owner: PaymentLedger | SimulatedProvider) -> None:
    try:
        await owner.create()
    finally:
        await owner.database.close()


CREATIONS: dict[Service, Callable[[str], Awaitable[None]]] = {
    "stores": _create_store,
    "payments": lambda url: _create(PaymentLedger(url)),
    "provider": lambda url: _create(SimulatedProvider(url)),
    "readmodel": create_tables,
}
"""How what is missing in each service's database is created, beside the journal's."""


@contextmanager
def _named(settings: Settings, service: Service) -> Iterator[None]:
    """Say where the database is that could not be prepared."""
    try:
        yield
    except Unavailable as error:
        place = settings.variable_of(service) or settings.data_dir.absolute()
        detail = f"cannot prepare the databases of {place}: {error.detail}"
        raise SirenError("databases_unavailable", detail) from error


async def prepare_databases(
    settings: Settings,
    report: Report = lambda _: None,
    order_hosts: int | None = None,
    workers: int = 0,
    release: Release = Release(),  # noqa: B008 - frozen
) -> Installation:
    """Create what is missing in the databases, and return the installation that they hold.

    `order_hosts` is how many there are from now on. Without it that stays as the journal has it,
    but for a number that nobody ever chose so: it grows to the number of `workers`.

    Data of an older version are brought up to date; `report` is told how far that is. Once there
    are orders, the server of another service than the journal may be away: its service creates
    what it needs when it is back. Raises `SirenError` where the journal was written by a newer
    version, where a database cannot be written, or where one was emptied (see `emptied`).
    """
    told = 0

    def upgraded(done: int, total: int) -> None:
        nonlocal told
        tenth = 10 * done // max(total, 1)
        if tenth > told:
            told = tenth
            report(f"bringing the journal up to date: {10 * tenth} %")

    await refuse_emptied(settings)
    journal = Journal(settings.url("journal"))
    try:
        with _named(settings, "journal"):
            await journal.create(upgraded)
            secret = await journal.remember("secret", secrets.token_hex(32))
            hosts = await _count_hosts(journal, settings, order_hosts, min(workers, SLOTS))
            is_new = await journal.last_position() == 0
    finally:
        await journal.close()
    for service, create in CREATIONS.items():
        try:
            with _named(settings, service), suppress(Damaged):  # told, and served around
                await create(settings.url(service))
        except SirenError as error:
            if is_new or file_of(settings.url(service)) is not None:
                raise
            report(f"{error.detail}; what needs it waits until it is back")
    return Installation(settings, bytes.fromhex(secret), hosts, release)


async def _count_hosts(
    journal: Journal, settings: Settings, chosen: int | None, workers: int
) -> int:
    if chosen is not None:
        await journal.remember(HOSTS_CHOSEN, "yes")
        await journal.replace(ORDER_HOSTS, str(chosen))
    hosts = int(await journal.remember(ORDER_HOSTS, str(max(settings.order_hosts, workers))))
    if hosts >= workers or await journal.recall(HOSTS_CHOSEN) is not None:
        return hosts
    await journal.replace(ORDER_HOSTS, str(workers))
    return workers


def start_actors(installation: Installation) -> None:
    """Create all actors that are missing, and wait until they answer."""
    missing = PEERS.creations(installation).values()
    with ThreadPoolExecutor(len(missing)) as threads:
        actors = list(threads.map(lambda create: create(), missing))
    for actor in actors:
        described(actor)


def start_gateway(installation: Installation, token_secret: bytes, system_secret: str) -> None:
    """Deploy the gateway, and wait until it answers.

    All of Serve listens on loopback; only HAProxy listens on the settings' host. Raises
    `SirenError` where somebody took its port meanwhile.
    """
    settings, now = installation.settings, asyncio.run(effective(installation.settings))
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": settings.port}, logging_config=QUIET)
    except RayTaskError:
        check_port(settings)  # it was free when the start began, seconds ago
        raise
    gateway = deployment(installation, PEERS, token_secret, system_secret, now=now)
    serve.run(gateway, name=APPLICATION, route_prefix="/", logging_config=QUIET)


@contextmanager
def running(
    settings: Settings,
    claim: Claim,
    report: Report,
    *,
    dashboard: bool = False,
    despite_damage: bool = False,
) -> Iterator[Installation]:
    """Run the whole system on this machine for as long as the block lasts, Ray's dashboard too.

    `claim` is what `haproxy.claim` gave before Ray was imported; `report` gets a line for each step
    of the start, and may raise to end it there; `despite_damage` as `integrity` has it. Raises
    `SirenError` where the system cannot be started safely. What `ray.shutdown` leaves behind is the
    caller's to end.
    """
    check(settings)
    keep_files_private()
    with held(settings) as folder:
        previous = folder.previous.get("run")
        if isinstance(previous, str):
            remove_if_dead(Path(previous))  # it crashed, and its HAProxy may hold the port
        folder.tell(run=str(claim.folder))
        check_port(settings)
        check_metrics_port(settings.metrics_port)
        token_secret = make_secret(settings)
        report("preparing the databases")
        integrity.check_files(settings, report, despite_damage=despite_damage)
        release = Release(schemas=known_schemas())
        installation = asyncio.run(prepare_databases(settings, report, release=release))
        tell_live(settings, report)
        report("starting Ray")
        context = _start_ray(claim.folder / "ray", settings.metrics_port, dashboard=dashboard)
        try:
            _protect_token()
            folder.tell(
                ray=context.address_info["gcs_address"],
                dashboard=context.dashboard_url if dashboard else None,
                servers=server_pids(),
                url=f"http://{settings.host}:{settings.port}",
                metrics=_metrics_url(context),
            )
            report(ON_RAY)
            works = [*watches_over(PEERS.creations(installation)), controller_watch.look_for_ever]
            with kept_up(claim, _replace_manager), ended_where_stopped(), kept_healthy(works):
                with ThreadPoolExecutor(1) as thread:
                    actors = thread.submit(start_actors, installation)
                    start_gateway(installation, token_secret, claim.secret)
                    actors.result()
                yield installation
        finally:
            ray.shutdown(wait_for_processes=True)


def _start_ray(folder: Path, metrics_port: int | None, *, dashboard: bool) -> Any:
    """Start Ray on this machine, and return its context; raises `SirenError` where it does not."""
    try:
        return ray.init(
            address="local",
            namespace=NAMESPACE,
            job_config=job_config(),
            include_dashboard=dashboard,
            dashboard_host="127.0.0.1",
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=str(folder),
            _metrics_export_port=metrics_port,
        )
    except OSError:
        raise
    except Exception as error:
        # Ray has no class for it: its raylet took longer than 30 s, say.
        detail = f"Ray did not start; try again once the machine is less busy. It says: {error}"
        raise SirenError("ray_failed", detail) from error


def _metrics_url(context: Any) -> str:
    """Return where Ray's agent of this machine serves metrics, ours among them."""
    known = context.address_info
    return f"http://{known['node_ip_address']}:{known['metrics_export_port']}/metrics"


def _replace_manager() -> None:
    """Let Serve start its manager of HAProxy anew, which then takes over the HAProxy that runs."""
    for actor in ray.util.list_named_actors(all_namespaces=True):
        name = actor["name"]
        if name.startswith(SERVE_PROXY_NAME) and "fallback" not in name:
            with suppress(ValueError):  # it has gone by itself
                ray.kill(ray.get_actor(name, namespace=actor["namespace"]))


def _protect_token() -> None:
    """Keep Ray's token, which runs code on the cluster, from other users of this machine."""
    token = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", Path.home() / ".ray" / "auth_token"))
    if token.exists():
        token.chmod(0o600)
