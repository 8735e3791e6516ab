"""What is counted in plain numbers is served as prometheus_client's own would be."""

from collections.abc import Sequence

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from actors.runtime.counting import Counter, Histogram

BOUNDS = (0.1, 1.0, 24)


def served(registry: CollectorRegistry) -> list[str]:
    """Return the lines of what is served, but for when each number began."""
    return [
        line for line in generate_latest(registry).decode().splitlines() if "_created" not in line
    ]


@pytest.mark.parametrize("labels", [(), ("one", "other")])
def test_a_counter_is_served_as_the_library_s_own(labels: Sequence[str]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    mine = Counter("things", "Things.", labels, ours)
    own = prometheus_client.Counter("things", "Things.", labels, registry=theirs)
    values = [f"value of {label}" for label in labels]
    for _ in range(3):
        mine.labels(*values).inc()
        (own.labels(*values) if labels else own).inc()
    assert served(ours) == served(theirs)


@pytest.mark.parametrize("labels", [(), ("one", "other")])
def test_a_histogram_is_served_as_the_library_s_own(labels: Sequence[str]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    mine = Histogram("took_seconds", "Time.", labels, BOUNDS, ours)
    own = prometheus_client.Histogram(
        "took_seconds", "Time.", labels, registry=theirs, buckets=BOUNDS
    )
    values = [f"value of {label}" for label in labels]
    for figure in (0.0, 0.1, 0.5, 1.0, 24, 25, 1e9):
        mine.labels(*values).observe(figure)
        (own.labels(*values) if labels else own).observe(figure)
    assert served(ours) == served(theirs)
