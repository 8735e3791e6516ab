"""How many replicas the gateway has on a cluster: Serve's controller asks again and again."""

from typing import Any

from actors.runtime.placement import staying

MOST_NODES = 256
CPU_SHARE = 0.001
"""Of a replica: next to nothing, but a node that offers no CPU, as a head may, gets none."""


def one_a_node(_context: Any) -> tuple[int, dict[str, Any]]:
    """Return how many nodes offer CPUs and stay, and no state: an autoscaling policy of Serve's.

    A head that offers none has no replica, so that with a single worker there is one in all: until
    Ray has moved it, nothing is answered when that worker dies. Give such a head two workers.
    """
    fit = sum(node["Resources"].get("CPU", 0) > 0 for node in staying())
    return min(MOST_NODES, max(1, fit)), {}
