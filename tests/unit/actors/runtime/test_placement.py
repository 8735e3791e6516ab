"""Where actors begin to live on a cluster."""

from typing import Any

import pytest
import ray

from actors.runtime import placement
from actors.runtime.placement import ANYWHERE, HEAD, NODE_LABEL, placement_of

A, B, LEAVING = "a" * 56, "b" * 56, "c" * 56
"""As long as an id of Ray's."""


def node(name: str, *, alive: bool = True, head: bool = False, cpus: float = 2.0) -> dict[str, Any]:
    resources = {"CPU": cpus} | ({HEAD: 1.0} if head else {})
    return {"NodeID": name, "Alive": alive, "Resources": resources}


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    nodes = [
        *(node(B), node("head", head=True), node(A)),
        *(node("dead", alive=False), node(LEAVING), node("no CPUs", cpus=0.0)),
    ]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    monkeypatch.setattr(placement, "leaving", lambda: {LEAVING})
    return nodes


def node_of(name: str) -> str:
    return str(placement_of(name)["label_selector"][NODE_LABEL])


@pytest.mark.usefixtures("nodes")
def test_order_hosts_go_to_the_nodes_in_turn() -> None:
    hosts = [node_of(f"order-host:{number}") for number in range(4)]

    assert hosts == [A, B, A, B]


@pytest.mark.usefixtures("nodes")
def test_the_head_and_nodes_that_are_dead_leave_or_have_no_cpus_are_spared() -> None:
    assert {node_of(f"order:{number:x}") for number in range(50)} == {A, B}


@pytest.mark.usefixtures("nodes")
def test_an_actor_may_move_where_its_node_dies_to_the_head_last_of_all() -> None:
    spare, last = placement_of("payment")["fallback_strategy"]

    assert spare == {"label_selector": {NODE_LABEL: "!head"}}
    assert last == ANYWHERE


def test_on_a_single_node_ray_decides(nodes: list[dict[str, Any]]) -> None:
    nodes[:] = [node("head", head=True)]

    assert placement_of("payment") == {}
    assert placement.workers() == []


def test_a_head_that_has_not_come_back_keeps_no_actor_from_its_place(
    nodes: list[dict[str, Any]],
) -> None:
    nodes[:] = [node(A)]

    assert placement_of("payment") == {
        "label_selector": {NODE_LABEL: A},
        "fallback_strategy": [ANYWHERE],
    }
