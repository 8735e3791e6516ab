"""What customers saw of their orders while a network was cut, and a plug pulled, of three hosts.

As root; five minutes on 2 cores.
"""

import asyncio
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from actors.settings import Settings
from cluster.chaos.clients import Clients, Node
from cluster.chaos.fault import Begun, Fault
from cluster.chaos.report import Happened, Report
from cluster.chaos.storm import Storm
from serve_app.contract.identity import Identity, Role
from serve_app.security.tokens import issue
from tests.cluster.tools import lacking
from tests.support.cluster import GATEWAY_PORT, Cluster, brought_up
from tests.support.hosts import address
from tests.support.tokens import HOUR

pytestmark = pytest.mark.timeout(900)
SECONDS, RATE = 12, 5
AWAY_S = (4.0, 6.0)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    if (missing := lacking()) is not None:
        pytest.skip(missing)
    with brought_up() as cluster:
        yield cluster


class Watcher:
    """Prints what a run does, and knows what broke last."""

    def __init__(self) -> None:
        self.last = "nothing"

    def happened(self, fault: Happened) -> None:
        self.last = fault.name
        print(f"{fault.at_s:.1f} s: {fault.name} {fault.to}")

    def stage(self, words: str) -> None:
        print(words)


def faults(cluster: Cluster) -> list[Fault]:
    async def cut(seconds: float, begun: Begun) -> None:
        await asyncio.to_thread(cluster.hosts.cut, 2, 3)
        try:
            begun("hosts 2 and 3")
            await asyncio.sleep(seconds)
        finally:
            cluster.hosts.mend(2, 3)

    async def pull(seconds: float, begun: Begun) -> None:
        await asyncio.to_thread(cluster.hosts.kill, 3)
        try:
            begun("host 3")
            await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(cluster.boot, 3)

    return [
        Fault("cut-network", "cut network", "two hosts", cut, AWAY_S, "network"),
        Fault("pull-plug", "pulled plug", "a worker", pull, AWAY_S, "worker"),
    ]


def test_what_customers_saw_while_network_and_plug_failed_can_be_explained(
    cluster: Cluster,
) -> None:
    cluster.wait_until_joined()
    secret = SecretStr(cluster.secret)
    settings = Settings(database_url=SecretStr(cluster.url), jwt_secret=secret)
    token = issue(cluster.secret.encode(), Identity("chaos", Role.SERVICE), HOUR)[0]
    nodes = [Node(address(host), GATEWAY_PORT) for host in (1, 2, 3)]
    report = Report("hosts", 1, RATE, SECONDS, "")

    async def run() -> None:
        watcher = Watcher()
        clients = Clients(nodes, token, lambda: watcher.last)
        await Storm(settings, clients, faults(cluster), report, watcher).run()

    asyncio.run(run())
    print(report.as_json())
    assert report.violations == []
    assert report.kinds == 2
    assert report.acknowledged > RATE
