"""Lets the event loop of one of a system's processes stand still, as an endless loop in it would.

python -m cluster.headings.stalled_loop NAME, where NAME is what Ray calls the actor, or begins
with; RAY_ADDRESS says which Ray. Its other threads live on, and the process neither stops nor ends.
"""

import os
import sys
from typing import Any

from cluster.running import environment

STALLED_S = 3600.0


def stall(_actor: object) -> None:
    """Let every event loop of this process sleep; runs in the actor's process."""
    import asyncio  # noqa: PLC0415 - it is sent there as it stands
    import time  # noqa: PLC0415

    for loop in {task.get_loop() for task in list(asyncio.tasks._all_tasks)}:  # type: ignore[attr-defined]  # noqa: SLF001
        loop.call_soon_threadsafe(time.sleep, STALLED_S)


def main(name: str) -> None:
    """Stall the first actor, in any namespace, whose name begins so."""
    environment.prepare()
    import ray  # noqa: PLC0415 - after its environment

    from actors.runtime.ray_actors import join  # noqa: PLC0415 - the same

    join(os.environ["RAY_ADDRESS"])
    found = ray.util.list_named_actors(all_namespaces=True)
    chosen = min((each for each in found if each["name"].startswith(name)), key=str)
    actor: Any = ray.get_actor(chosen["name"], chosen["namespace"])
    ray.get(actor.__ray_call__.remote(stall), timeout=STALLED_S)


if __name__ == "__main__":
    main(sys.argv[1])
