"""Ray actors: how a missing one is created, one replaced, a cluster joined; and where they live."""

import gc
import logging
import math
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
from ray.job_config import JobConfig

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


def get_or_create(actor_class: Any, name: str, installation: Installation, *args: object) -> Any:
    """Return the handle of the named actor, and create it, on its release's code, if there is none.

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
        runtime_env=installation.release.runtime_env(),
        **placement_of(name),
    ).remote(installation, *args)


def replace(
    name: str, create: Callable[[], Any], installation: Installation, within_s: float
) -> Any:
    """Let a new process take an actor's place, which holds only what the databases have, too.

    What it was asked and had not answered, its callers ask the next one. One of them may be faster
    than we in creating it, of the release that it knows: then it is replaced once more. Returns
    the new one's handle once it answers; raises `RayError` where it cannot begin, or does not
    answer within some seconds.
    """
    deadline = time.monotonic() + within_s
    while True:
        end(name)
        try:
            actor = create()
            facts = described(actor, deadline - time.monotonic())
            if facts.get("release") == installation.release.id:
                return actor
        except ActorDiedError as error:  # as a rule since somebody else replaces it as well
            if error.actor_init_failed or time.monotonic() > deadline:
                raise


def end(name: str) -> None:
    """End the named actor for good, if any; blocks until its name is free, or another's."""
    with suppress(ValueError):  # it is not there
        actor: Any = ray.get_actor(name, NAMESPACE)
        ray.kill(actor)
        while ray.get_actor(name, NAMESPACE) == actor:
            time.sleep(GONE_LOOK_S)


def described(actor: Any, within_s: float | None = None) -> dict[str, Any]:
    """Wait until an actor is there, and return what it tells of itself.

    Raises `GetTimeoutError` after so many seconds, if any are given.
    """
    deadline = math.inf if within_s is None else time.monotonic() + within_s
    while True:
        try:
            left = None if within_s is None else max(0.0, deadline - time.monotonic())
            facts: dict[str, Any] = ray.get(actor.describe.remote(), timeout=left)
        except ActorUnavailableError:  # its process ended before it was there: Ray starts another
            if time.monotonic() > deadline:
                raise
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
    ray.init(
        address,
        namespace=NAMESPACE,
        job_config=job_config(),
        log_to_driver=False,
        logging_level=logging.ERROR,
    )


def job_config() -> JobConfig:
    """Return what keeps the folder that one happens to be in out of the workers' search path.

    Ray would put it before all others: two versions of the code, each in a folder of its own, could
    not run beside each other. It leaves that out for clients of its proxy alone.
    """
    config = JobConfig()
    config._client_job = True  # noqa: SLF001 - see above
    return config


def whereabouts(installation: Installation, live: LiveSettings) -> dict[str, Any]:
    """Return what every actor tells of itself: process, node, installation, and the release's id.

    `settings` is the version of the live settings that it follows, `refused` those it does not.

    `fault` is what its databases refused last, None where that is nothing.
    """
    return {
        "pid": os.getpid(),
        "node": node_address(),
        "installation": installation,
        "release": installation.release.id,
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
