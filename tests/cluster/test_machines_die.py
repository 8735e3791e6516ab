"""Any machine of a cluster may die: nothing acknowledged is lost, orders go on in seconds."""

import time

import pytest

from tests.support.cluster import BEFORE, HEAD, Cluster
from tests.support.hosts import address

CUT_S = 20.0
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(autouse=True)
def _whole(cluster: Cluster) -> None:
    """Begin where nothing is under way: every actor is back on a worker."""
    cluster.wait_until_joined()


def test_a_cut_between_two_machines_loses_nothing(cluster: Cluster) -> None:
    with cluster.load() as load:
        load.wait_for(BEFORE)
        cluster.hosts.cut(2, 3)
        time.sleep(CUT_S)
        cluster.hosts.mend(2, 3)
        moment = time.monotonic()
        seconds = cluster.wait_until_settled(load, moment)
        print(f"cut of {CUT_S:.0f} s: settled {seconds:.1f} s after it", load.figures(moment))

    cluster.check(load)


@pytest.mark.parametrize(
    "hosts",
    [(HEAD,), (2,), (3,), (2, 3)],
    ids=["the head", "a worker", "the other worker", "two at once"],
)
def test_orders_go_on_when_machines_die(cluster: Cluster, hosts: tuple[int, ...]) -> None:
    with cluster.load() as load, cluster.pulled(load, *hosts) as moment:
        seconds = cluster.wait_until_settled(load, moment)
        print(f"plug of {hosts}: settled after {seconds:.1f} s", load.figures(moment))

    cluster.check(load)


def test_a_machine_may_die_while_another_version_is_deployed(cluster: Cluster) -> None:
    with cluster.load() as load:
        deploy = cluster.deploying()
        with cluster.pulled(load, 3) as moment:
            deploy.result()
            seconds = cluster.wait_until_settled(load, time.monotonic())
            print(f"plug in a deploy: settled {seconds:.1f} s after it", load.figures(moment))

    cluster.check(load)


def test_one_machine_joins_and_another_leaves(cluster: Cluster) -> None:
    with cluster.load() as load:
        load.wait_for(BEFORE)
        begun = time.monotonic()
        cluster.join()
        print(f"a fourth host answers after {time.monotonic() - begun:.1f} s")
        load.gone.add(f"{address(2)}:8088")
        begun = time.monotonic()
        cluster.drain(2)
        cluster.wait_until_settled(load, time.monotonic())
        print(f"drained after {time.monotonic() - begun:.1f} s", load.figures(begun))

    cluster.check(load)
