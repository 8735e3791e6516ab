"""On which node of a cluster an actor begins. Where that dies, Ray moves it to any other."""

import zlib
from typing import Any

import ray
from ray._private.state import state
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

HEAD = "node:__internal_head__"
"""The resource by which Ray marks the node of its control service."""


def strategy_of(name: str) -> Any:
    """Return the scheduling strategy of a new actor; blocks on Ray.

    Ray's own SPREAD draws a node by lot for what needs no CPU: all of it may land on one. So
    numbered actors go to the nodes in turn, others by their names. The head is spared where there
    is any other node: what lives there is not restarted before the head itself is back.
    """
    nodes = workers()
    if not nodes:
        return "DEFAULT"
    return NodeAffinitySchedulingStrategy(nodes[_number(name) % len(nodes)], soft=True)


def workers() -> list[str]:
    """Return the ids of the nodes beside the head that stay, in an order that all agree on."""
    return sorted(node["NodeID"] for node in staying() if HEAD not in node["Resources"])


def staying() -> list[dict[str, Any]]:
    """Return what Ray knows of the nodes that live, but for those that are being drained."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    going = leaving()
    return [node for node in nodes if node["Alive"] and node["NodeID"] not in going]


def leaving() -> set[str]:
    """Return the ids of the nodes that are being drained."""
    return set(state.get_draining_nodes())


def _number(name: str) -> int:
    number = name.rpartition(":")[2]
    return int(number) if number.isdecimal() else zlib.crc32(name.encode())
