"""Which processes of a running system follow which version of the live settings."""

import pickle
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.serve._private.common import REPLICA_ID_FULL_ID_STR_PREFIX, RequestMetadata
from ray.serve._private.constants import SERVE_NAMESPACE

from actors.runtime.ray_actors import NAMESPACE
from cluster.running.gateway_rollout import APPLICATION, GATEWAY

ASK_S = 5.0
"""On a busy machine an answer takes long, and all are waited for at once."""
PAUSE_S = 0.05
REPLICA = f"{REPLICA_ID_FULL_ID_STR_PREFIX}{APPLICATION}#{GATEWAY}#"


@dataclass(frozen=True, slots=True)
class Process:
    """One process; `facts` is what it told of itself, None where it did not answer."""

    name: str
    facts: dict[str, Any] | None

    @property
    def version(self) -> int:
        """Return the version that it follows; -1 where that is not known."""
        return -1 if self.facts is None else int(self.facts.get("settings", -1))


def wait_until_followed(version: int, within_s: float) -> list[Process]:
    """Return all processes of the joined system once they follow `version`, or some later one.

    After `within_s` they are returned as they are. Blocks on Ray.
    """
    until = time.monotonic() + within_s
    while True:
        found = processes(min(ASK_S, within_s))
        if all(each.version >= version for each in found) or time.monotonic() > until:
            return found
        time.sleep(PAUSE_S)


def processes(within_s: float) -> list[Process]:
    """Return the actors and the gateway's replicas of the joined system, each as it answers."""
    return _answers(_asked(NAMESPACE, SERVE_NAMESPACE), within_s)


def replicas(within_s: float) -> list[Process]:
    """Return the gateway's replicas of the joined system, each as it answers."""
    return _answers(_asked(SERVE_NAMESPACE), within_s)


def _answers(asked: dict[str, Any], within_s: float) -> list[Process]:
    if asked:
        ray.wait(list(asked.values()), num_returns=len(asked), timeout=within_s)
    return [Process(name, _answer(call)) for name, call in sorted(asked.items())]


def _asked(*namespaces: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for actor in ray.util.list_named_actors(all_namespaces=True):
        name, namespace = actor["name"], actor["namespace"]
        if namespace not in namespaces:
            continue
        with suppress(ValueError):  # it has just gone
            if namespace == NAMESPACE:
                found[name] = _handle(name, namespace).describe.remote()
            elif name.startswith(REPLICA):
                short = f"gateway {name.removeprefix(REPLICA)}"
                found[short] = _handle(name, namespace).handle_request.remote(_request(name))
    return found


def _handle(name: str, namespace: str) -> Any:
    return ray.get_actor(name, namespace)


def _request(name: str) -> bytes:
    """Return what a replica itself is asked by: a handle of Serve's would ask any of them."""
    return pickle.dumps(RequestMetadata(name, name, call_method="describe", app_name=APPLICATION))


def _answer(call: Any) -> dict[str, Any] | None:
    try:
        facts: dict[str, Any] = ray.get(call, timeout=0)
    except RayError:
        return None
    return facts
