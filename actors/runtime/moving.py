"""Actors return to where they should be: off the head and nodes that are drained, and spread.

Where a node dies, Ray starts what lived there on any other, the head too, and leaves it there. What
lives on the head is down for as long as the head is: nobody else could start it. And with all of
them on one node, its death would take all of them along.
"""

import logging
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any, NoReturn

import ray
from ray.exceptions import RayError

from actors.installation import Installation
from actors.runtime.placement import home_of, workers
from actors.runtime.ray_actors import NAMESPACE, described, replace
from actors.runtime.replacing import incarnation_of

LOOK_S = 3.0
Creations = Mapping[str, Callable[[], Any]]
"""What creates each actor of an installation, by its name in Ray."""

logger = logging.getLogger("siren")


def keep_in_place(creations: Creations, installation: Installation) -> NoReturn:
    """Look after the actors for ever; of several that do, the one on the first node moves them."""
    misplaced: AbstractSet[str] = frozenset()
    while True:
        time.sleep(LOOK_S)
        try:
            misplaced = move(creations, installation, misplaced)
        except (RayError, RuntimeError, ValueError, KeyError, OSError) as error:
            logger.warning("cannot tell where actors live: %s", error)


def move(
    creations: Creations, installation: Installation, before: AbstractSet[str]
) -> AbstractSet[str]:
    """Move one actor that is misplaced and was so `before`; return those that still are.

    A move is a short silence for callers, who repeat: not of all at the same time, and not while a
    node has only just come. An actor of another installation is a deploy's, which is replacing this
    one. Blocks on Ray.
    """
    places = workers()
    if not places or ray.get_runtime_context().get_node_id() != places[0]:
        return frozenset()
    misplaced = {name for name in creations if _is_misplaced(name, places)}
    for name in sorted(misplaced & before):
        if described(ray.get_actor(name, NAMESPACE))["installation"] == installation:
            logger.warning("%s moves to its place", name)
            replace(name, creations[name], installation)
            return misplaced - {name}
    return misplaced


def _is_misplaced(name: str, places: list[str]) -> bool:
    with suppress(ValueError):  # it is not there: whoever needs it creates it in its place
        where = incarnation_of(ray.get_actor(name, NAMESPACE))
        return where is not None and not where.starting and where.node != home_of(name, places)
    return False
