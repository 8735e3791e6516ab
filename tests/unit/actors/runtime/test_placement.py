"""Where actors begin to live on a cluster."""

from typing import Any

import pytest
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.runtime import placement
from actors.runtime.placement import HEAD, strategy_of

A, B, LEAVING = "a" * 56, "b" * 56, "c" * 56
"""As long as an id of Ray's."""


def node(name: str, *, alive: bool = True, head: bool = False) -> dict[str, Any]:
    return {"NodeID": name, "Alive": alive, "Resources": {HEAD: 1.0} if head else {}}


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    nodes = [node(B), node("head", head=True), node(A), node("dead", alive=False), node(LEAVING)]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    monkeypatch.setattr(placement, "leaving", lambda: {LEAVING})
    return nodes


def node_of(name: str) -> str:
    strategy = strategy_of(name)
    assert isinstance(strategy, NodeAffinitySchedulingStrategy)
    return str(strategy.node_id)


@pytest.mark.usefixtures("nodes")
def test_order_hosts_go_to_the_nodes_in_turn() -> None:
    hosts = [node_of(f"order-host:{number}") for number in range(4)]

    assert hosts == [A, B, A, B]


@pytest.mark.usefixtures("nodes")
def test_the_head_dead_nodes_and_those_that_leave_are_spared() -> None:
    assert {node_of(f"order:{number:x}") for number in range(50)} == {A, B}


@pytest.mark.usefixtures("nodes")
def test_an_actor_may_move_where_its_node_dies() -> None:
    assert strategy_of("payment").soft


def test_on_a_single_node_ray_decides(nodes: list[dict[str, Any]]) -> None:
    nodes[:] = [node("head", head=True)]

    assert strategy_of("payment") == "DEFAULT"
    assert placement.workers() == []
