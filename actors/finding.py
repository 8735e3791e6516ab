"""Finds the running installation: its Ray, and from any of its actors what all of them share."""

from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import RayError

from actors.addressing import NAMESPACE, join
from actors.contracts.errors import Unavailable
from actors.installation import Installation
from actors.runtime.lock_file import default_address, named_address, same_address

DESCRIBE_S = 5.0


def find_installation(address: str | None = None) -> Installation:
    """Ask any living actor of Siren Order for its installation, joining its Ray if needed.

    `address` is the host:port of a cluster. Without one, it is the system that `SIREN_DATA_DIR` or
    `RAY_ADDRESS` names, else the one that this process has joined, else that of ./data; never
    whatever else runs on this machine. Raises `Unavailable` where that leaves a choice, where the
    process has joined another one, or where none of its actors answers.
    """
    address = address or named_address()
    if ray.is_initialized():
        joined = ray.get_runtime_context().gcs_address
        if address is not None and not same_address(address, joined):
            detail = f"this process has joined the Ray at {joined}, not the one at {address}"
            raise Unavailable("two_systems", detail)
    else:
        address = address or default_address()
        try:
            join(address)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise Unavailable("not_up", f"siren is not up: no Ray answers at {address}") from error
    for actor in ray.util.list_named_actors(all_namespaces=True):
        if actor["namespace"] != NAMESPACE:
            continue
        with suppress(RayError, ValueError, KeyError):
            handle: Any = ray.get_actor(actor["name"], NAMESPACE)
            facts = ray.get(handle.describe.remote(), timeout=DESCRIBE_S)
            installation: Installation = facts["installation"]
            return installation
    raise Unavailable("not_up", "siren is not up: start it with `siren up`")
