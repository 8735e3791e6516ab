"""What a replica does when it is stopped, as there are to be fewer, or others in its place.

Serve lets HAProxy know first, and serves on meanwhile. Then it takes no more connections, and waits
for what is under way.
"""

from collections.abc import Callable
from typing import Any

from ray.serve._private import replica

_replica: Any = replica  # nothing in it is public


def when_it_leaves(act: Callable[[], None]) -> None:
    """Call `act`, on the event loop, once HAProxy asks this replica no more.

    A stream would be waited for as long as Serve waits, and then be cut off. Serve tells a
    deployment only after that. Call it before the replica is asked to leave.
    """
    stop_accepting = _replica.Replica._stop_accepting_direct_ingress  # noqa: SLF001

    def stop(self: Any) -> None:
        stop_accepting(self)
        act()

    _replica.Replica._stop_accepting_direct_ingress = stop  # noqa: SLF001
