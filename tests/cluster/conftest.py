"""A cluster of three hosts on this machine, once for all its tests."""

import os
from collections.abc import Iterator

import pytest

from tests.cluster.tools import lacking
from tests.support.cluster import Cluster, brought_up

MUST = "SIREN_TEST_CLUSTER"
"""Set: what cannot run fails, instead of being skipped."""


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    missing = lacking()
    if missing is not None:
        if os.environ.get(MUST):
            pytest.fail(missing)
        pytest.skip(missing)
    with brought_up() as cluster:
        yield cluster
