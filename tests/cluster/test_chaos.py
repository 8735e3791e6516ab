"""What customers saw of their orders while a cluster's network, plug and clock failed."""

import asyncio
import time

import pytest
from pydantic import SecretStr

from actors.settings import Settings
from cluster.chaos.clients import Clients, Node
from cluster.chaos.fault import Begun, Fault
from cluster.chaos.report import Happened, Report
from cluster.chaos.storm import Storm
from serve_app.contract.identity import Identity, Role
from serve_app.security.tokens import issue
from tests.support.clock_skew import set_clock
from tests.support.cluster import GATEWAY_PORT, WITH_A_CLOCK, Cluster
from tests.support.hosts import address
from tests.support.tokens import HOUR

pytestmark = pytest.mark.timeout(900)
SECONDS, RATE = 12, 5
AWAY_S = (4.0, 6.0)
SKEWS_S = (-600, 600)
"""Seconds; less than one has to pay, which would expire."""


class Watcher:
    """Prints what a run does, and knows what broke last."""

    def __init__(self) -> None:
        self.last = "nothing"

    def happened(self, fault: Happened) -> None:
        self.last = fault.name
        print(f"{fault.at_s:.1f} s: {fault.name} {fault.to}")

    def stage(self, words: str) -> None:
        print(words)


def clock_of(cluster: Cluster) -> float:
    return float(cluster.hosts.run(WITH_A_CLOCK, ". ~/.bashrc; date +%s").stdout)


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

    async def skew(seconds: float, begun: Begun) -> None:
        home = cluster.hosts.home(WITH_A_CLOCK)
        try:
            for off in SKEWS_S:
                set_clock(home, off)
                assert abs(await asyncio.to_thread(clock_of, cluster) - time.time() - off) < 30
                begun(f"host {WITH_A_CLOCK}, {off:+d} s")
                await asyncio.sleep(seconds / len(SKEWS_S))
        finally:
            set_clock(home, 0)

    return [
        Fault("cut-network", "cut network", "two hosts", cut, AWAY_S, "network"),
        Fault("pull-plug", "pulled plug", "a worker", pull, AWAY_S, "worker"),
        Fault("skew-clock", "clock skew", "a host", skew, AWAY_S, "clock"),
    ]


def test_what_customers_saw_while_network_plug_and_clock_failed_can_be_explained(
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
    assert report.kinds == 3
    assert report.acknowledged > RATE
