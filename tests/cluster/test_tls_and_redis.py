"""A cluster with Ray's own settings for TLS, where Redis keeps what its head knows."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support.cluster import HEAD, Cluster, brought_up
from tests.support.hosts import address

ENDPOINT = """
import ray
from actors.runtime.ray_actors import NAMESPACE
ray.init(address="auto", namespace=NAMESPACE, logging_level="ERROR")
endpoint = ray.get(ray.get_actor("payment").endpoint.remote())
print("endpoint", endpoint.host, endpoint.port)
"""
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def encrypted(cluster: Cluster) -> Iterator[Cluster]:
    cluster.stop()  # its place is needed
    with brought_up(count=2, encrypted=True, redis=True) as encrypted:
        yield encrypted


def test_what_actors_say_to_each_other_is_encrypted(encrypted: Cluster) -> None:
    with encrypted.load(connections=2) as load:
        encrypted.wait_until_settled(load, time.monotonic())
    assert load.failed == []
    encrypted.check(load)

    said = encrypted.run(HEAD, f"python - <<'END'{ENDPOINT}END")
    host, port = said.partition("endpoint ")[2].split()
    assert host == address(2)
    with (
        socket.create_connection((host, int(port)), 10) as plain,
        _anybody().wrap_socket(plain) as tls,
        suppress(ssl.SSLError, ConnectionError),
    ):
        assert tls.cipher() is not None
        # Without a certificate of its own it is let in by nobody: a word of that, or none.
        assert tls.recv(1) == b""


def test_a_head_without_its_disk_finds_its_cluster_in_redis(encrypted: Cluster) -> None:
    with encrypted.load() as load, encrypted.pulled(load, HEAD) as moment:
        assert not list((encrypted.hosts.home(HEAD) / ".siren" / "node").glob("gcs*"))
        seconds = encrypted.wait_until_settled(load, moment)
        print(f"plug of the head: settled after {seconds:.1f} s", load.figures(moment))

    encrypted.check(load)


def _anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
