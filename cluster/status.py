"""What `siren status` shows: actors and where they live, open orders, projection lag."""

import asyncio
from datetime import timedelta
from typing import Any

import ray
from ray.exceptions import RayError
from rich.console import Group
from rich.table import Table
from sqlalchemy import func, select

from actors.addressing import NAMESPACE, join
from actors.clock import utc_now
from actors.domain.errors import Unavailable
from actors.journal import Journal
from actors.journal_tables import open_orders
from actors.settings import Settings
from cluster.data_folder import is_held, read_holder
from readmodel.queries import OrderDetails

ANSWER_S = 3.0
OVERDUE = timedelta(seconds=15)
"""Whoever ended with open orders is stood in for within this."""
SHOWN = (
    "live_orders",
    "circuit",
    "orders_failing",
    "refund_circuit",
    "refunds_failing",
    "position",
    "error",
)


def describe(settings: Settings) -> Group:
    """Return the report on the system that runs on the settings' data folder.

    Raises `Unavailable` where none runs.
    """
    folder = settings.data_dir.absolute()
    holder = read_holder(folder)
    if not is_held(folder) or "ray" not in holder:
        raise Unavailable("not_up", f"nothing runs on {folder}: start it with `siren up`")
    join(holder["ray"])
    try:
        actors = _actors()
    finally:
        ray.shutdown()
    numbers = asyncio.run(_numbers(settings))
    return Group(f"Siren Order at {holder.get('url', 'unknown')}", actors, numbers)


def _actors() -> Table:
    table = Table("actor", "process", "node", "state")
    for actor in sorted(ray.util.list_named_actors(all_namespaces=True), key=str):
        if actor["namespace"] == NAMESPACE:
            table.add_row(actor["name"], *_where(actor["name"]))
    return table


def _where(name: str) -> tuple[str, str, str]:
    try:
        actor: Any = ray.get_actor(name, NAMESPACE)
        facts: dict[str, Any] = ray.get(actor.describe.remote(), timeout=ANSWER_S)
    except (RayError, ValueError) as error:
        return "-", "-", f"does not answer ({type(error).__name__})"
    state = ", ".join(f"{key} {facts[key]}" for key in SHOWN if facts.get(key) is not None)
    return str(facts["pid"]), str(facts["node"]), state or "up"


async def _numbers(settings: Settings) -> Table:
    journal, details = Journal(settings.url("journal")), OrderDetails(settings.url("readmodel"))
    try:
        last, seen = await journal.last_position(), await details.position()
        async with journal.database.read() as connection:
            count = await connection.scalar(select(func.count()).select_from(open_orders))
        now = utc_now()
        late, oldest = await journal.count_overdue(now - OVERDUE)
    finally:
        await journal.close()
        await details.close()
    table = Table("figure", "value")
    table.add_row("events in the journal", str(last))
    table.add_row("open orders", str(count))
    seconds = 0 if oldest is None else (now - oldest).total_seconds()
    table.add_row("of them overdue", f"{late}, the oldest for {seconds:.0f} s" if late else "0")
    table.add_row("events the view is behind", str(max(0, last - seen)))
    return table
