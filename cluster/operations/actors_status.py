"""What `siren status` shows of actors: where each lives, and what it tells of itself."""

from typing import Any

import ray
from ray.exceptions import RayError
from rich.table import Table

from actors.runtime.ray_actors import NAMESPACE, join

ACTOR_S = 3.0
SHOWN = (
    "live_orders",
    "circuit",
    "orders_failing",
    "refund_circuit",
    "refunds_failing",
    "position",
    "error",
    "fault",
    "warning",
)

Facts = dict[str, Any]


def actors_at(address: str) -> Table:
    """Return what each actor of a cluster tells, and leave that cluster."""
    join(address)
    try:
        return actors()
    finally:
        ray.shutdown()


def actors() -> Table:
    """Return what each actor of the joined cluster tells within `ACTOR_S`."""
    names = [
        actor["name"]
        for actor in ray.util.list_named_actors(all_namespaces=True)
        if actor["namespace"] == NAMESPACE
    ]
    asked = {name: _ask(name, NAMESPACE) for name in sorted(names)}
    calls = [call for call in asked.values() if call is not None]
    answered = ray.wait(calls, num_returns=len(calls), timeout=ACTOR_S)[0] if calls else []
    silent = ("-", "-", "does not answer")
    table = Table("actor", "process", "node", "state")
    for name, call in asked.items():
        table.add_row(name, *(_where(call) if call in answered else silent))
    return table


def _ask(name: str, namespace: str) -> Any:
    try:
        actor: Any = ray.get_actor(name, namespace)
    except ValueError:
        return None
    return actor.describe.remote()


def _where(call: Any) -> tuple[str, str, str]:
    try:
        facts: Facts = ray.get(call)
    except RayError as error:
        return "-", "-", f"does not answer ({type(error).__name__})"
    state = ", ".join(f"{key} {facts[key]}" for key in SHOWN if facts.get(key) is not None)
    return str(facts["pid"]), str(facts["node"]), state or "up"
