"""Any machine of a cluster may die: nothing acknowledged is lost, orders go on in seconds."""

import time

import pytest

from tests.support.cluster import HEAD, Cluster
from tests.support.cluster_load import Load
from tests.support.hosts import address

SOON_S = 10.0
HEAD_SOON_S = 20.0
QUIET_S = 5.0
pytestmark = pytest.mark.timeout(600)


def pull(cluster: Cluster, load: Load, *hosts: int) -> float:
    """Pull plugs, and return when; their customers go elsewhere."""
    time.sleep(QUIET_S)  # of orders before
    load.gone |= {f"{address(host)}:8088" for host in hosts}
    moment = time.monotonic()
    cluster.hosts.kill(*hosts)
    return moment


def nothing_lost(cluster: Cluster, load: Load) -> None:
    assert cluster.lost(load) == set()
    cluster.verify()
    assert load.failed_reads == []


@pytest.mark.parametrize(("host", "within"), [(2, SOON_S), (3, SOON_S), (HEAD, HEAD_SOON_S)])
def test_orders_go_on_when_a_machine_dies(cluster: Cluster, host: int, within: float) -> None:
    with cluster.load() as load:
        moment = pull(cluster, load, host)
        seconds = cluster.wait_until_settled(load, moment, within)
        print(f"plug of host {host}: settled after {seconds:.1f} s", load.figures(moment))

    nothing_lost(cluster, load)
    cluster.boot(host)
    cluster.wait_until_whole()


def test_orders_go_on_when_two_machines_die_at_once(cluster: Cluster) -> None:
    with cluster.load() as load:
        moment = pull(cluster, load, 2, 3)
        seconds = cluster.wait_until_settled(load, moment, SOON_S)
        print(f"plugs of 2 and 3: settled after {seconds:.1f} s", load.figures(moment))

    nothing_lost(cluster, load)
    for host in (2, 3):
        cluster.boot(host)
    cluster.wait_until_whole()


def test_a_cut_between_two_machines_loses_nothing(cluster: Cluster) -> None:
    with cluster.load() as load:
        time.sleep(QUIET_S)
        cluster.hosts.cut(2, 3)
        time.sleep(20)
        cluster.hosts.mend(2, 3)
        moment = time.monotonic()
        seconds = cluster.wait_until_settled(load, moment, SOON_S)
        print(f"cut of 20 s: settled after {seconds:.1f} s", load.figures(moment))

    nothing_lost(cluster, load)
