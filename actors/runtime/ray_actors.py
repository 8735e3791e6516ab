"""Ray actors: how a missing one is created, one replaced, a cluster joined; and where they live."""

import gc
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import ray
from ray._private import ray_constants
from ray._private.authentication.authentication_token_setup import (
    maybe_enable_token_auth_if_token_available,
)
from ray.exceptions import ActorDiedError, ActorUnavailableError

from actors.installation import Installation
from actors.runtime.faults import FAULTS
from actors.runtime.live_settings import LiveSettings
from actors.runtime.placement import placement_of

NAMESPACE = "siren"
MAX_CONCURRENCY = 10_000
YOUNG_OBJECTS = 50_000
RESTART_LOOK_S = 0.25
GONE_LOOK_S = 0.005
"""Soon: whoever has lost the actor creates another one, with the settings that it knows."""


def get_or_create(actor_class: Any, name: str, *args: object) -> Any:
    """Return the handle of the named actor, and create the actor if there is none.

    Blocks on Ray's control plane: call it outside an event loop. Whoever needs an actor calls
    this, so there is no supervisor to lose.
    """
    with suppress(ValueError):
        return ray.get_actor(name, NAMESPACE)
    return actor_class.options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        max_restarts=-1,  # Ray starts it again; callers repeat what it had not answered
        max_concurrency=MAX_CONCURRENCY,
        num_cpus=0,
        **placement_of(name),
    ).remote(*args)


def replace(name: str, create: Callable[[], Any], installation: Installation) -> None:
    """Let a new process take an actor's place, which holds only what the databases have, too.

    What it was asked and had not answered, its callers ask the next one. One of them may be faster
    than we in creating it, with the settings that it knows: then it is replaced once more. Blocks
    until the new one answers; raises `RayError` where it cannot begin.
    """
    while True:
        end(name)
        try:
            if described(create())["installation"] == installation:
                return
        except ActorDiedError as error:  # as a rule since somebody else replaces it as well
            if error.actor_init_failed:
                raise


def end(name: str) -> None:
    """End the named actor for good, if any; blocks until its name is free, or another's."""
    with suppress(ValueError):  # it is not there
        actor: Any = ray.get_actor(name, NAMESPACE)
        ray.kill(actor)
        while ray.get_actor(name, NAMESPACE) == actor:
            time.sleep(GONE_LOOK_S)


def described(actor: Any) -> dict[str, Any]:
    """Wait until an actor is there, and return what it tells of itself."""
    while True:
        try:
            facts: dict[str, Any] = ray.get(actor.describe.remote())
        except ActorUnavailableError:  # its process ended before it was there: Ray starts another
            time.sleep(RESTART_LOOK_S)
        else:
            return facts


def join(address: str) -> None:
    """Join the Ray cluster at `address`, host:port.

    Raises `ConnectionError` where there is none. A cluster that listens on loopback alone is
    looked for there: Ray would replace 127.0.0.1 by the machine's own address, and wait in vain.
    """
    if address.startswith("127.0.0.1:"):
        ray_constants.ENABLE_RAY_CLUSTER = False
    # Ray does this by itself for a cluster that it finds, not for one whose address it is given.
    maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    ray.init(address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)


def whereabouts(installation: Installation, live: LiveSettings) -> dict[str, Any]:
    """Return what every actor tells of itself: its process, its node, its installation.

    `settings` is the version of the live settings that it follows, `refused` those it does not.

    `fault` is what its databases refused last, None where that is nothing.
    """
    return {
        "pid": os.getpid(),
        "node": node_address(),
        "installation": installation,
        "settings": live.version,
        "refused": live.refused,
        "fault": FAULTS.last(),
    }


def node_address() -> str:
    """Return the address under which the cluster knows this node; loopback on a single machine."""
    address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    return address


def spare_garbage_collection() -> None:
    """Keep the collector away from what was imported, which is for ever.

    Walking those objects again and again took a fifth of an order host's time under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
