"""A whole cluster on hosts of this machine: Ray, PostgreSQL and the system on them."""

import asyncio
import os
import secrets
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import httpx

from tests.support.cluster_load import Load
from tests.support.hosts import Hosts, PostgreSql, address

BIN = Path(sys.executable).parent
GATEWAY_PORT = 8088
RAY_PORT = 6379
HEAD = 1
SMALL = "--num-cpus 2 --object-store-memory 100000000 --disable-usage-stats"
"""Of a host that shares one machine with others."""
START_S = 400.0
DEPLOY_S = 400.0


class Cluster:
    """Hosts 1 to `count`, of which the first is the head; `start` makes everything."""

    source = Path(__file__).parents[2]

    def __init__(self, folder: Path, count: int = 3) -> None:
        self.count = count
        self.hosts = Hosts(folder / "hosts")
        self.postgres = PostgreSql(folder / "postgres")
        self.secret = secrets.token_hex(32)
        self._token = secrets.token_hex(32)
        self.url = ""

    @property
    def addresses(self) -> list[str]:
        """Where the gateway listens."""
        return [f"{address(host)}:{GATEWAY_PORT}" for host in range(1, self.count + 1)]

    def start(self) -> None:
        """Make hosts and database, and join the hosts; the system is not yet on them."""
        self.hosts.down()
        self.hosts.up(self.count)
        self.url = self.postgres.start()
        for host in range(1, self.count + 1):
            self.furnish(host)
        self.start_ray(HEAD)
        with ThreadPoolExecutor(self.count) as threads:
            list(threads.map(self.start_ray, range(HEAD + 1, self.count + 1)))

    def stop(self) -> None:
        """End it all."""
        self.hosts.down()
        self.postgres.stop()

    def furnish(self, host: int) -> None:
        """Give a host what operators give it: Ray's token, the settings, the command."""
        home = self.hosts.home(host)
        settings = f"SIREN_DATABASE_URL={self.url}\nSIREN_JWT_SECRET={self.secret}\n"
        for file, text in ((".ray/auth_token", self._token), (".siren/siren.env", settings)):
            (home / file).parent.mkdir(exist_ok=True)
            (home / file).touch(mode=0o600)
            (home / file).write_text(text)
        (home / ".bash_profile").write_text(f"export PATH={BIN}:$PATH\n")
        self.hosts.wait_for(host)

    def start_ray(self, host: int) -> None:
        """Start a host's Ray, the head's or one that joins it."""
        role = f"--address {address(HEAD)}:{RAY_PORT}"
        if host == HEAD:
            role = f"--head --port {RAY_PORT} --dashboard-host 127.0.0.1"
        own = f"--node-ip-address {address(host)}"
        self.hosts.run(host, f"siren node ray start {role} {own} {SMALL}", timeout=START_S)

    def boot(self, host: int) -> None:
        """Start a host again whose plug was pulled, and its Ray."""
        self.hosts.boot(host)
        self.start_ray(host)

    def deploy(self, options: str = "", host: int = HEAD) -> str:
        """Put the system on the cluster, and return what the command said."""
        return self.hosts.run(host, f"siren deploy {options}", timeout=DEPLOY_S).stdout

    def load(
        self, addresses: list[str] | None = None, *, connections: int = 8, readers: int = 2
    ) -> Load:
        """Return customers at all nodes, or at some."""
        return Load(addresses or self.addresses, self.secret.encode(), connections, readers)

    def verify(self) -> str:
        """Audit the databases, and return what was found; fails where something is wrong."""
        command = [str(BIN / "siren"), "verify"]
        environment = os.environ | {"SIREN_DATABASE_URL": self.url}
        audit = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert audit.returncode == 0, audit.stdout + audit.stderr
        return audit.stdout

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

    def wait_until_settled(self, load: Load, since: float, within: float) -> float:
        """Wait until orders of all connections settle at once again, and return after how long."""
        while True:
            seconds = load.settled_since(since)
            if seconds is not None:
                return seconds
            assert time.monotonic() < since + within, f"not settled: {load.figures(since)}"
            time.sleep(0.1)

    def wait_until_whole(self, within: float = 120.0) -> None:
        """Wait until the gateway answers on every node."""
        deadline = time.monotonic() + within
        for node in self.addresses:
            while not _answers(node):
                assert time.monotonic() < deadline, f"{node} does not answer"
                time.sleep(0.2)


def _answers(node: str) -> bool:
    try:
        return httpx.get(f"http://{node}/readyz", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
