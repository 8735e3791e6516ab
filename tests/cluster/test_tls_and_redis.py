"""Ray's own settings for TLS encrypt what actors say to each other, too."""

import shutil
import socket
import ssl
import tempfile
import time
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.hosts import address

ENDPOINT = """
import ray
from actors.runtime.ray_actors import NAMESPACE
ray.init(address="auto", namespace=NAMESPACE, logging_level="ERROR")
endpoint = ray.get(ray.get_actor("payment").endpoint.remote())
print("endpoint", endpoint.host, endpoint.port)
"""
pytestmark = pytest.mark.timeout(900)


def test_an_encrypted_cluster_takes_orders(cluster: Cluster) -> None:
    cluster.stop()  # its place is needed
    folder = Path(tempfile.mkdtemp(prefix="siren-encrypted.", dir="/var/tmp"))
    encrypted = Cluster(folder, count=2, encrypted=True)
    try:
        encrypted.start()
        encrypted.deploy()
        encrypted.wait_until_whole()
        with encrypted.load(connections=2) as load:
            encrypted.wait_until_settled(load, time.monotonic(), 60)
        assert load.failed == []
        encrypted.verify()

        said = encrypted.run(1, f"python - <<'END'{ENDPOINT}END")
        host, port = said.partition("endpoint ")[2].split()
        assert host == address(2)
        with (
            pytest.raises(ssl.SSLError),  # without a certificate of its own it is let in by nobody
            socket.create_connection((host, int(port)), 10) as plain,
            _anybody().wrap_socket(plain) as tls,
        ):
            tls.recv(1)
    finally:
        encrypted.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
