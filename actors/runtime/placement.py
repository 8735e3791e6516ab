"""On which node of a cluster an actor should live. Where that dies, Ray moves it to any other."""

import zlib
from typing import Any

import ray
from ray._private.state import state

HEAD = "node:__internal_head__"
"""The resource by which Ray marks the node of its control service."""
NODE_LABEL = "ray.io/node-id"
ANYWHERE: dict[str, Any] = {"label_selector": {}}


def placement_of(name: str) -> dict[str, Any]:
    """Return the options by which a new actor comes to its home; blocks on Ray.

    The head is spared where there is any other node: what lives there is not restarted before the
    head itself is back. Labels say so because Ray does not listen otherwise: for an actor that
    needs no CPU it draws a node by lot, with SPREAD as with a soft node affinity.
    """
    nodes = workers()
    if not nodes:
        return {}
    spare_the_head = [{"label_selector": {NODE_LABEL: f"!{each}"}} for each in heads()]
    return {
        "label_selector": {NODE_LABEL: home_of(name, nodes)},
        "fallback_strategy": [*spare_the_head, ANYWHERE],
    }


def home_of(name: str, nodes: list[str]) -> str:
    """Return on which of the `workers` an actor should live: numbered ones in turn, so spread."""
    number = name.rpartition(":")[2]
    turn = int(number) if number.isdecimal() else zlib.crc32(name.encode())
    return nodes[turn % len(nodes)]


def workers() -> list[str]:
    """Return the ids of the nodes beside the head that stay and offer CPUs, in order.

    All agree on it. A node without CPUs has no replica of the gateway, either.
    """
    return sorted(
        node["NodeID"]
        for node in staying()
        if HEAD not in node["Resources"] and node["Resources"].get("CPU", 0) > 0
    )


def heads() -> list[str]:
    """Return the id of the head; none, where it has not come back yet after its death."""
    return [node["NodeID"] for node in living() if HEAD in node["Resources"]]


def staying() -> list[dict[str, Any]]:
    """Return what Ray knows of the nodes that live, but for those that are being drained."""
    going = leaving()
    return [node for node in living() if node["NodeID"] not in going]


def living() -> list[dict[str, Any]]:
    """Return what Ray knows of the nodes that live."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in nodes if node["Alive"]]


def leaving() -> set[str]:
    """Return the ids of the nodes that are being drained."""
    return set(state.get_draining_nodes())
