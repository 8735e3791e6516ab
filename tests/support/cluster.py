"""A whole cluster on hosts of this machine: Ray, PostgreSQL and the system on them."""

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import yaml

from tests.support.certificates import HERE, Authority
from tests.support.cluster_load import Load
from tests.support.hosts import Hosts, PostgreSql, Redis, address
from tests.support.ray_up import RayUp

BIN = Path(sys.executable).parent
GATEWAY_PORT = 8088
DASHBOARD_PORT = 8265
HEAD = 1
START_S = 400.0
DEPLOY_S = 400.0
SETTLED_S = 120.0
BEFORE = 100
"""Requests that are answered before a plug is pulled."""
SAID = "deploy.log"
JOINED = """
import ray, time
from actors.runtime.placement import home_of, workers
from actors.runtime.ray_actors import NAMESPACE
from actors.runtime.replacing import incarnation_of
ray.init(address="auto", logging_level="ERROR")
while {wanted} != {{node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}}:
    time.sleep(0.2)
def at_home(name):
    try:
        place = incarnation_of(ray.get_actor(name, NAMESPACE))
    except ValueError:
        return False
    return place is not None and place.node == home_of(name, workers())
while not all(
    at_home(actor["name"])
    for actor in ray.util.list_named_actors(all_namespaces=True)
    if actor["namespace"] == NAMESPACE
):
    time.sleep(0.2)
"""
"""Ends once Ray knows these nodes and no other, and each actor of the system is in its place."""
DEPLOYED = """until serve status | grep -A1 "^  siren:" | grep -q RUNNING; do sleep 1; done"""


class Cluster:
    """Hosts from 1 on, of which the first is the head; `start` makes everything."""

    source = Path(__file__).parents[2]

    def __init__(
        self, folder: Path, count: int = 3, *, encrypted: bool = False, redis: bool = False
    ) -> None:
        self._folder = folder
        self._encrypted = encrypted
        self._redis = Redis() if redis else None
        self.members = list(range(1, count + 1))
        self.hosts = Hosts(folder / "hosts")
        self.postgres = PostgreSql(folder / "postgres")
        self.operator = RayUp(folder / "operator", self.hosts.key)
        self.secret = secrets.token_hex(32)
        self.url = ""

    @property
    def addresses(self) -> list[str]:
        """Where the gateway listens."""
        return [f"{address(host)}:{GATEWAY_PORT}" for host in self.members]

    def start(self) -> None:
        """Make hosts and database, and join the hosts; the system is not yet on them."""
        self.hosts.down()
        self.hosts.up(len(self.members))
        self.url = self.postgres.start()
        settings = f"SIREN_DATABASE_URL={self.url}\nSIREN_JWT_SECRET={self.secret}\n"
        self.operator.furnish(secrets.token_hex(32), settings)
        for host in self.members:
            self.hosts.wait_for(host)
        if self._encrypted:
            self._encrypt()
        if self._redis is not None:
            self.operator.redis = self._redis.start()
        self.ray_up()

    def _encrypt(self) -> None:
        """Give every shell of a host what Ray needs for TLS."""
        files = Authority(self._folder / "certificates", [HERE, *map(address, self.members)]).folder
        variables = {
            "RAY_USE_TLS": 1,
            "RAY_TLS_CA_CERT": files / "ca.pem",
            "RAY_TLS_SERVER_CERT": files / "cert.pem",
            "RAY_TLS_SERVER_KEY": files / "key.pem",
        }
        for host in self.members:
            with (self.hosts.home(host) / ".bashrc").open("a") as shell:
                shell.writelines(f"export {name}={value}\n" for name, value in variables.items())

    def stop(self) -> None:
        """End it all."""
        self.hosts.down()
        self.postgres.stop()
        if self._redis is not None:
            self._redis.stop()

    def ray_up(self, *options: str) -> None:
        """Bring all members up, as an operator does; returns when all have joined."""
        workers = [address(host) for host in self.members if host != HEAD]
        self.operator.up(address(HEAD), workers, *options)
        self.wait_until_joined()

    def wait_until_joined(self) -> None:
        """Wait until Ray knows every host and no other, and actors are in their places."""
        wanted = {address(host) for host in self.members}
        self.run(HEAD, f"timeout {START_S} python - <<'END'{JOINED.format(wanted=wanted)}END")

    def run(self, host: int, command: str, timeout: float = START_S) -> str:
        """Run a command on a host, in a shell as an operator has it there; return what it said."""
        return self.hosts.run(
            host, f'. ~/.bashrc; eval "$(siren env)"; {command}', timeout=timeout
        ).stdout

    def boot(self, *hosts: int) -> None:
        """Start hosts again whose plugs were pulled; returns when they have joined."""
        for host in hosts:
            self.hosts.boot(host)
        if HEAD in hosts:  # it starts Ray on all others, and nobody but an operator starts it there
            self.ray_up()
        self.wait_until_joined()
        self.wait_until_whole()

    @contextmanager
    def pulled(self, load: Load, *hosts: int) -> Iterator[float]:
        """Pull plugs once there are orders, and give when; their customers go elsewhere.

        The hosts are booted at the end of the block, however that ends.
        """
        load.wait_for(BEFORE)
        load.gone |= {f"{address(host)}:{GATEWAY_PORT}" for host in hosts}
        moment = time.monotonic()
        self.hosts.kill(*hosts)
        try:
            yield moment
        finally:
            begun = time.monotonic()
            self.boot(*hosts)
            print(f"{hosts} whole again {time.monotonic() - begun:.0f} s after the boot")

    def join(self) -> None:
        """Let one more host join, while the others go on; returns when it answers customers."""
        host = max(self.members) + 1
        self.hosts.add(host)
        self.members.append(host)
        self.ray_up("--no-restart")
        self.wait_until_whole()

    def drain(self, host: int) -> None:
        """Let a host leave: first its replica, then its Ray; returns when Ray knows it gone."""
        self.members.remove(host)
        why = "--reason DRAIN_NODE_REASON_PREEMPTION --reason-message leaves"
        self.run(host, f"ray drain-node {why}")
        workers = [address(each) for each in self.members if each != HEAD]
        self.operator.up(address(HEAD), workers, "--no-restart")
        self.run(host, "ray stop")
        self.wait_until_joined()

    def deploy(self, options: str = "", host: int = HEAD) -> str:
        """Put the system on the cluster, and return what the command said."""
        return self.run(host, f"set -o pipefail; siren deploy {options} | tee {SAID}", DEPLOY_S)

    def deploying(self) -> Future[str]:
        """Begin a deploy, and return, once it replaces actors, what will have what it says."""
        said = self.hosts.home(HEAD) / SAID
        said.unlink(missing_ok=True)
        deploy = ThreadPoolExecutor(1).submit(self.deploy)
        while not deploy.done() and not (said.exists() and "replacing" in said.read_text()):
            time.sleep(0.05)
        return deploy

    def serve_deploy(self, **arguments: object) -> None:
        """Put the system on the cluster as Serve does, with other arguments; returns at the end."""
        config = yaml.safe_load((self.source / "cluster" / "serve.yaml").read_text())
        config["applications"][0]["args"] |= arguments
        file = self.hosts.home(HEAD) / "serve.yaml"
        file.write_text(yaml.safe_dump(config))
        self.run(HEAD, f"serve deploy ~/{file.name}")
        self.run(HEAD, f"timeout {DEPLOY_S} bash -c '{DEPLOYED}'", DEPLOY_S)

    @contextmanager
    def tunnel(self) -> Iterator[str]:
        """Forward a port to the head's dashboard while the block lasts, and give its address."""
        with self.hosts.forwarded(HEAD, DASHBOARD_PORT) as port:
            yield f"http://127.0.0.1:{port}"

    def load(self, addresses: list[str] | None = None, **options: Any) -> Load:
        """Return customers at all nodes, or at some."""
        return Load(addresses or self.addresses, self.secret.encode(), **options)

    def verify(self) -> str:
        """Audit the databases, and return what was found; fails where something is wrong."""
        command = [str(BIN / "siren"), "verify"]
        environment = os.environ | {"SIREN_DATABASE_URL": self.url}
        audit = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert audit.returncode == 0, audit.stdout + audit.stderr
        return audit.stdout

    def check(self, load: Load) -> None:
        """Fail where an acknowledged order is lost, the books are wrong, or a read failed."""
        assert self.lost(load) == set()
        self.verify()
        assert load.failed_reads == []

    def lost(self, load: Load) -> set[str]:
        """Return the acknowledged orders that the journal does not have."""
        query = "SELECT order_id FROM events WHERE type = 'OrderPlaced' AND order_id = ANY($1)"
        acknowledged = [each.order_id for each in load.placed]

        async def known() -> set[str]:
            connection = await asyncpg.connect(self.url.replace("+asyncpg", ""))
            rows = await connection.fetch(query, acknowledged)
            await connection.close()
            return {row["order_id"] for row in rows}

        return set(acknowledged) - asyncio.run(known())

    def wait_until_settled(self, load: Load, since: float) -> float:
        """Wait until orders of all connections settle at once again, and return after how long.

        The seconds are for the figures: ten processes that start on two shared cores take theirs.
        """
        while True:
            seconds = load.settled_since(since)
            if seconds is not None:
                return seconds
            assert time.monotonic() < since + SETTLED_S, f"not settled: {load.figures(since)}"
            time.sleep(0.1)

    def wait_until_whole(self, within: float = 120.0) -> None:
        """Wait until the gateway answers on every node."""
        deadline = time.monotonic() + within
        for node in self.addresses:
            while not _answers(node):
                assert time.monotonic() < deadline, f"{node} does not answer"
                time.sleep(0.2)


@contextmanager
def brought_up(**options: Any) -> Iterator[Cluster]:
    """Give a cluster with the system on it, as `Cluster` takes options; nothing is left of it."""
    folder = Path(tempfile.mkdtemp(prefix="siren-cluster.", dir="/var/tmp"))
    cluster = Cluster(folder, **options)
    try:
        cluster.start()
        cluster.deploy()
        cluster.wait_until_whole()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _answers(node: str) -> bool:
    try:
        return httpx.get(f"http://{node}/readyz", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
