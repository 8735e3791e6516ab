"""Which cluster a command means, and what it says where it cannot join it."""

import socket

import pytest
from ray._private import services
from ray.exceptions import AuthenticationError

from actors.contracts.errors import SirenError, Unavailable
from cluster.running import cluster_address as module
from cluster.running.cluster_address import cluster_address, join_cluster
from cluster.running.environment import free_port


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The addresses of the Rays of this machine."""
    found: set[str] = set()
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(services, "find_gcs_addresses", lambda: found)
    return found


def test_what_is_given_goes_before_ray_address_and_that_before_this_node_s(
    running: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    running.add("10.0.0.1:6379")
    assert cluster_address() == "10.0.0.1:6379"
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    assert cluster_address() == "10.0.0.1:6379"
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.2:6379")
    assert cluster_address() == "10.0.0.2:6379"
    assert cluster_address("10.0.0.3:6379") == "10.0.0.3:6379"


def test_the_ray_of_one_machine_is_no_cluster(running: set[str]) -> None:
    running |= {"127.0.0.1:6001", "10.0.0.1:6379"}
    assert cluster_address() == "10.0.0.1:6379"
    running.remove("10.0.0.1:6379")
    with pytest.raises(Unavailable, match="no Ray runs on this machine: say --address"):
        cluster_address()


def test_one_of_two_clusters_has_to_be_named(running: set[str]) -> None:
    running |= {"10.0.0.1:6379", "10.0.0.2:6379"}
    with pytest.raises(Unavailable, match="2 clusters of Ray run on this machine"):
        cluster_address()


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:none", "127.0.0.1:{free_port}"])
def test_an_address_where_nobody_listens_is_named(address: str) -> None:
    address = address.format(free_port=free_port())
    with pytest.raises(SirenError, match=f"cannot join the Ray at {address}: "):
        join_cluster(address)


def test_without_ray_s_token_the_cluster_says_no_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_address: str) -> None:
        raise AuthenticationError("Ray has no token\nSee the manual")

    monkeypatch.setattr(module, "join", refuse)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(SirenError) as refused:
            join_cluster(address)
    assert refused.value.detail == f"cannot join the Ray at {address}: Ray has no token"
