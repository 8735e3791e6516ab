"""The orders that are live as actors, asked of the actors themselves; and their verbs.

Answers within `ANSWER_S`, whatever is silent: who does not answer is named.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from actors.contracts.errors import Damaged, SirenError, Unavailable
from actors.order.domain.story import Story
from actors.order.ids import host_of
from actors.order.journal import Journal
from actors.order.telling import story_of
from actors.runtime.lock_file import ray_address
from actors.settings import Settings
from cluster.operations.read_only import check_files
from cluster.peers import PEERS
from cluster.running.cluster_address import cluster_address
from serve_app.backend import Backend

ANSWER_S = 5.0
GOES_ON_S = 10.0
"""How long an order is watched after it was told to try again."""
LOOK_S = 0.2
DEDICATED, POOLED = "order:", "order-host:"

Facts = dict[str, Any]


@dataclass(slots=True)
class Live:
    """How many orders are in memory, some of them, and which actors did not answer."""

    count: int = 0
    orders: list[Facts] = field(default_factory=list)
    hosts: int = 0
    silent: list[str] = field(default_factory=list)


def address_of(folder: Path, address: str | None, *, given: bool) -> str:
    """Return where the Ray of the system that is meant is; raises `Unavailable` where none runs.

    A cluster that this machine is a node of is meant only where no data folder was `given`.
    """
    if address is not None:
        return address
    try:
        return ray_address(folder)
    except Unavailable:
        if not given:
            with suppress(Unavailable):
                return cluster_address()
        raise


def live_orders(address: str, store_id: str | None, status: str | None, limit: int) -> Live:
    """Ask every order host, and every order's own actor, what is in its memory.

    `limit` orders at most are told of, those that were asked for last. Raises `SirenError` where
    there is no such cluster.
    """
    import ray  # noqa: PLC0415 - importing it takes seconds

    from actors.runtime.ray_actors import NAMESPACE  # noqa: PLC0415 - as above
    from cluster.running.cluster_address import join_cluster  # noqa: PLC0415 - as above

    join_cluster(address)
    try:
        names = [
            actor["name"]
            for actor in ray.util.list_named_actors(all_namespaces=True)
            if actor["namespace"] == NAMESPACE and actor["name"].startswith((DEDICATED, POOLED))
        ]
        asked: dict[str, Any] = {}
        live = Live(hosts=len(names))
        for name in names:
            try:
                actor: Any = ray.get_actor(name, NAMESPACE)
                asked[name] = actor.live.remote(store_id, status, limit)
            except ValueError:
                continue  # it has ended since
        calls = list(asked.values())
        answered = ray.wait(calls, num_returns=len(calls), timeout=ANSWER_S)[0] if calls else []
        for name, call in sorted(asked.items()):
            _add(live, name, call if call in answered else None)
        live.orders.sort(key=lambda order: order["order_id"], reverse=True)
        del live.orders[limit:]
        return live
    finally:
        ray.shutdown()


def _add(live: Live, name: str, call: Any) -> None:
    import ray  # noqa: PLC0415 - as above
    from ray.exceptions import RayError  # noqa: PLC0415 - as above

    try:
        facts = None if call is None else ray.get(call)
    except RayError:
        facts = None
    if facts is None:
        live.silent.append(name)
        return
    live.count += facts["count"]
    where = {"actor": name, "node": facts["node"], "pid": facts["pid"]}
    live.orders += [order | where for order in facts["orders"]]


async def retry(siren: Backend, order_id: str) -> Story:
    """Have an order tried again now, and shown as it is; return how it stands after a while.

    Raises `NotFound`, or `Unavailable` where its host, the projection or the journal is silent.
    """
    await story_of(siren.journal, order_id)  # it exists
    here = siren.installation
    host = host_of(order_id, here.order_hosts)
    hosted, shown = partial(PEERS.order_host, here, PEERS, host), partial(PEERS.projection, here)
    with suppress(Damaged):  # the story tells what cannot be read
        await _call(hosted, "retry", order_id)
    await _call(shown, "fold_again", order_id)
    loop = asyncio.get_running_loop()
    until = loop.time() + GOES_ON_S
    while True:
        story = await story_of(siren.journal, order_id)
        if not any(wait.stuck or wait.cause for wait in story.waits) or loop.time() > until:
            return story
        await asyncio.sleep(LOOK_S)


async def _call(connect: Callable[[], Any], method: str, order_id: str) -> None:
    from ray.exceptions import RayError  # noqa: PLC0415 - as above

    try:
        async with asyncio.timeout(ANSWER_S):
            actor = await asyncio.to_thread(connect)
            await getattr(actor, method).remote(order_id)
    except SirenError:
        raise
    except (RayError, TimeoutError, ValueError) as error:
        detail = f"the actor that has the order does not answer ({type(error).__name__})"
        raise Unavailable("no_reply", detail) from error


def journal_of(settings: Settings) -> Journal:
    """Return the journal, whose system need not run; raises `SirenError` where there is none."""
    check_files(settings, "journal")
    return Journal(settings.url("journal"))
