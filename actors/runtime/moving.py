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
from actors.runtime.ray_actors import GONE_LOOK_S, NAMESPACE
from actors.runtime.replacing import incarnation_of

LOOK_S = 3.0
DEPLOY_LOCK = "siren-deploy"
"""The name of the actor that a deploy holds, and its namespace: whoever looks for the system's
actors does not meet it."""
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
    node has only just come. A deploy replaces actors itself. Blocks on Ray.
    """
    places = workers()
    if not places or ray.get_runtime_context().get_node_id() != places[0]:
        return frozenset()
    misplaced = {name for name in creations if _is_misplaced(name, places)}
    for name in sorted(misplaced & before):
        actor = ray.get_actor(name, NAMESPACE)
        if not _a_deploy_is_under_way() and _belongs_to(actor, installation):
            logger.warning("%s moves to its place", name)
            ray.kill(actor)
            while creations[name]() == actor:
                time.sleep(GONE_LOOK_S)
            return misplaced - {name}
    return misplaced


def _is_misplaced(name: str, places: list[str]) -> bool:
    with suppress(ValueError):  # it is not there: whoever needs it creates it in its place
        where = incarnation_of(ray.get_actor(name, NAMESPACE))
        return where is not None and not where.starting and where.node != home_of(name, places)
    return False


def _a_deploy_is_under_way() -> bool:
    with suppress(ValueError):  # nobody holds it
        ray.get_actor(DEPLOY_LOCK, DEPLOY_LOCK)
        return True
    return False


def _belongs_to(actor: Any, installation: Installation) -> bool:
    """Whether an actor is ours to move: not a later version's, and not one that says nothing."""
    with suppress(RayError):
        described = ray.get(actor.describe.remote(), timeout=LOOK_S)
        return bool(described["installation"] == installation)
    return False
