"""A cluster is changed while customers order: no order is lost, no request fails."""

import time

import pytest

from tests.support.cluster import HEAD, Cluster
from tests.support.hosts import address

CUSTOMERS, READERS = 32, 32
REQUESTS = 20_000
PATIENCE_S = 30.0
pytestmark = pytest.mark.timeout(900)


def test_ray_s_own_tools_know_every_actor_and_node(cluster: Cluster) -> None:
    said = cluster.run(HEAD, "ray list actors --limit 1000; ray status")

    for name in ("order-host:0", "order-host:1", "payment", "store", "projection"):
        assert name in said
    assert said.count("ALIVE") >= len(cluster.members)
    status = cluster.run(2, "COLUMNS=160 siren status")
    for host in cluster.members:
        assert address(host) in status
    assert status.count("answers") >= len(cluster.members)


def test_every_node_takes_orders(cluster: Cluster) -> None:
    for node in cluster.addresses:
        with cluster.load([node], connections=1, readers=0) as load:
            cluster.wait_until_settled(load, time.monotonic())

        assert load.failed == []


def test_a_driver_script_orders_from_any_node(cluster: Cluster) -> None:
    said = cluster.run(3, "python -m cluster.drivers.rush_hour --orders 50 --at-once 8")

    assert "ACCEPTED" in said


def test_a_driver_script_is_a_job_for_whoever_has_a_tunnel(cluster: Cluster) -> None:
    with cluster.tunnel() as url:
        script = "python -m cluster.drivers.rush_hour --orders 20 --at-once 4"
        said = cluster.operator.ray("job", "submit", "--address", url, "--", *script.split())

    assert "ACCEPTED" in said
    assert "succeeded" in said


def test_a_changed_version_fails_no_request(cluster: Cluster) -> None:
    begun = time.monotonic()
    with cluster.load(connections=CUSTOMERS, readers=READERS, patience=PATIENCE_S) as load:
        cluster.deploy("--order-hosts 3")
        print(f"rolling deploy took {time.monotonic() - begun:.0f} s", load.figures())
        load.wait_for(REQUESTS, within=600)
        print("rolling deploy:", load.figures())

    assert load.failed == []
    cluster.check(load)


def test_serve_s_own_deploy_of_fewer_order_hosts_loses_no_order(cluster: Cluster) -> None:
    with cluster.load(patience=PATIENCE_S) as load:
        cluster.serve_deploy(version="2", order_hosts=2)
        cluster.wait_until_settled(load, time.monotonic())
        print("serve deploy:", load.figures())

    assert load.failed == []
    cluster.check(load)
