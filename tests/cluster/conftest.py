"""A cluster of three hosts on this machine, once for all its tests."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import Cluster

NEEDED = ("sshd", "ip", "unshare", "setpriv")
MUST = "SIREN_TEST_CLUSTER"
"""Set: what cannot run fails, instead of being skipped."""


def _lacking() -> str | None:
    if os.geteuid() != 0:
        return "tests/cluster makes hosts on this machine: that needs root"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    return f"tests/cluster needs {', '.join(missing)}" if missing else None


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    lacking = _lacking()
    if lacking is not None:
        if os.environ.get(MUST):
            pytest.fail(lacking)
        pytest.skip(lacking)
    folder = Path(tempfile.mkdtemp(prefix="siren-cluster.", dir="/var/tmp"))
    cluster = Cluster(folder)
    try:
        cluster.start()
        cluster.deploy()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
