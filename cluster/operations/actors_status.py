"""What `siren status` shows of actors: where each lives, and what it tells of itself."""

from collections.abc import Iterator
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

SILENT = "does not answer"

Facts = dict[str, Any]
Told = dict[str, Facts | str]
"""What each process told of itself, by name; or in words why it did not."""


def actors_at(address: str) -> Iterator[Table]:
    """Yield what `actors` does of a cluster, and leave that cluster."""
    join(address)
    try:
        yield from actors()
    finally:
        ray.shutdown()


def actors() -> Iterator[Table]:
    """Yield what each actor of the joined cluster tells within `ACTOR_S`.

    And once more with the gateway's replicas, where settings were ever set live: to ask them takes
    imports of more seconds, and which settings they follow is all that they could add.
    """
    told = _told_by_actors()
    yield table_of(told)
    if _newest(told):
        from cluster.operations.followers import replicas  # noqa: PLC0415

        told |= {each.name: each.facts or SILENT for each in replicas(ACTOR_S)}
        yield table_of(told)


def _newest(told: Told) -> int:
    """Return the newest version of the live settings that any process follows."""
    facts = [each for each in told.values() if not isinstance(each, str)]
    return max((each.get("settings", 0) for each in facts), default=0)


def table_of(told: Told) -> Table:
    """Return a line for each process: `settings` is the version of the live settings it follows."""
    newest = _newest(told)
    table = Table("actor", "process", "node", "settings", "state")
    for name, facts in told.items():
        table.add_row(name, *_row(facts, newest))
    return table


def _told_by_actors() -> Told:
    names = [
        actor["name"]
        for actor in ray.util.list_named_actors(all_namespaces=True)
        if actor["namespace"] == NAMESPACE
    ]
    asked = {name: _ask(name, NAMESPACE) for name in sorted(names)}
    calls = [call for call in asked.values() if call is not None]
    answered = ray.wait(calls, num_returns=len(calls), timeout=ACTOR_S)[0] if calls else []
    return {name: _told(call) if call in answered else SILENT for name, call in asked.items()}


def _ask(name: str, namespace: str) -> Any:
    try:
        actor: Any = ray.get_actor(name, namespace)
    except ValueError:
        return None
    return actor.describe.remote()


def _told(call: Any) -> Facts | str:
    try:
        facts: Facts = ray.get(call)
    except RayError as error:
        return f"{SILENT} ({type(error).__name__})"
    return facts


def _row(told: Facts | str, newest: int) -> tuple[str, str, str, str]:
    if isinstance(told, str):
        return "-", "-", "-", told
    version = told.get("settings", 0)  # code from before there were any tells of none
    follows = f"{version}, behind" if version < newest else str(version)
    states = [f"{key} {told[key]}" for key in SHOWN if told.get(key) is not None]
    states += [f"does not follow {name}: {why}" for name, why in told.get("refused", {}).items()]
    return str(told["pid"]), str(told["node"]), follows, ", ".join(states) or "up"
