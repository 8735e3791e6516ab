"""A cluster is changed while customers order: no order is lost, no request fails."""

import threading
import time

import pytest

from tests.support.cluster import HEAD, Cluster
from tests.support.hosts import address

CONNECTIONS = 64
REQUESTS = 20_000
pytestmark = pytest.mark.timeout(900)


def test_every_node_takes_orders(cluster: Cluster) -> None:
    for node in cluster.addresses:
        with cluster.load([node], connections=1, readers=0) as load:
            cluster.wait_until_settled(load, 0.0, 30)

        assert load.failed == []


def test_ray_s_own_tools_know_every_actor_and_node(cluster: Cluster) -> None:
    said = cluster.hosts.run(HEAD, 'eval "$(siren env)"; ray list actors --limit 1000').stdout

    for name in ("order-host:0", "order-host:1", "payment", "store", "projection"):
        assert name in said
    status = cluster.hosts.run(2, "COLUMNS=160 siren status").stdout
    for host in range(1, cluster.count + 1):
        assert f"{address(host)}" in status


def test_a_driver_script_orders_from_any_node(cluster: Cluster) -> None:
    script = "python -m cluster.drivers.rush_hour --orders 50 --at-once 8"

    said = cluster.hosts.run(3, f'eval "$(siren env)"; cd {cluster.source} && {script}').stdout

    assert "50" in said


def test_a_changed_version_fails_no_request(cluster: Cluster) -> None:
    with cluster.load(connections=CONNECTIONS) as load:
        cluster.deploy("--order-hosts 3")
        while len(load.placed) + load.reads < REQUESTS:
            time.sleep(0.5)
        print("rolling deploy:", load.figures())

    assert load.failed == []
    assert load.failed_reads == []
    assert cluster.lost(load) == set()
    cluster.verify()


def test_fewer_order_hosts_lose_no_order(cluster: Cluster) -> None:
    with cluster.load() as load:
        cluster.deploy("--order-hosts 1")
        cluster.wait_until_settled(load, time.monotonic(), 10)

    assert load.failed == []
    assert cluster.lost(load) == set()
    cluster.verify()
    cluster.deploy("--order-hosts 2")


def test_a_machine_may_die_while_another_version_is_deployed(cluster: Cluster) -> None:
    with cluster.load() as load:
        deploy = threading.Thread(target=cluster.deploy)
        deploy.start()
        time.sleep(5)  # it is under way
        load.gone.add(f"{address(3)}:8088")
        moment = time.monotonic()
        cluster.hosts.kill(3)
        deploy.join()
        cluster.wait_until_settled(load, time.monotonic(), 10)
        print("plug pulled in a deploy:", load.figures(moment))

    assert load.failed_reads == []
    assert cluster.lost(load) == set()
    cluster.verify()
    cluster.boot(3)
    cluster.wait_until_whole()
