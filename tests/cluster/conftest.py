"""A cluster of three hosts on this machine, once for all its tests."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.tools import lacking
from tests.support.cluster import Cluster

MUST = "SIREN_TEST_CLUSTER"
"""Set: what cannot run fails, instead of being skipped."""


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    missing = lacking()
    if missing is not None:
        if os.environ.get(MUST):
            pytest.fail(missing)
        pytest.skip(missing)
    folder = Path(tempfile.mkdtemp(prefix="siren-cluster.", dir="/var/tmp"))
    cluster = Cluster(folder)
    try:
        cluster.start()
        cluster.deploy()
        cluster.wait_until_whole()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
