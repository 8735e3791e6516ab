"""How many replicas the gateway has on a cluster: one on each node that can have one."""

from typing import Any

import pytest

from actors.runtime import placement
from serve_app import replica_count
from serve_app.replica_count import CPU_SHARE, one_a_node


def nodes(monkeypatch: pytest.MonkeyPatch, *cpus: float, leaving: tuple[int, ...] = ()) -> None:
    """Let a cluster have nodes that offer so many CPUs; some of them, by their turn, leave."""
    known: list[dict[str, Any]] = [
        {"NodeID": str(turn), "Alive": True, "Resources": {"CPU": cpu} if cpu else {}}
        for turn, cpu in enumerate(cpus)
    ]
    monkeypatch.setattr(placement, "living", lambda: known)
    monkeypatch.setattr(placement, "leaving", lambda: {str(turn) for turn in leaving})


@pytest.mark.parametrize(
    ("cpus", "expected"),
    [((2,), 1), ((2, 2), 2), ((2, 2, 2), 3), ((0, 2), 1), ((0, 2, 2), 2), ((0.5, 2), 2)],
)
def test_each_node_that_offers_cpus_has_a_replica(
    monkeypatch: pytest.MonkeyPatch, cpus: tuple[float, ...], expected: int
) -> None:
    nodes(monkeypatch, *cpus)

    assert one_a_node(None) == (expected, {})
    assert all(cpu >= CPU_SHARE for cpu in cpus if cpu)


def test_a_node_that_leaves_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes(monkeypatch, 2, 2, 2, leaving=(1,))

    assert one_a_node(None) == (2, {})


def test_there_is_one_at_least_and_not_more_than_serve_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes(monkeypatch)
    assert one_a_node(None) == (1, {})
    monkeypatch.setattr(replica_count, "MOST_NODES", 2)
    nodes(monkeypatch, 2, 2, 2)
    assert one_a_node(None) == (2, {})


def test_whoever_moves_actors_is_a_node_with_a_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes(monkeypatch, 0, 2)

    assert placement.workers()[0] == "1"
