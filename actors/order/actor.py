"""The Ray actor that hosts orders: all of some slots, or in dedicated isolation a single one."""

import asyncio
import os
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

import ray
from ray.exceptions import RayError

from actors.contracts.errors import SirenError
from actors.installation import Installation
from actors.order.census import measure_stuck
from actors.order.dedicated import DedicatedOrders
from actors.order.host import OrderHost
from actors.order.ids import host_of, slots_of
from actors.order.journal import ORDER_HOSTS, Due, Journal
from actors.order.nudge import Nudge
from actors.order.overdue import OverdueOrders
from actors.order.steps import Steps
from actors.peers import ORDER_HOST, Peers
from actors.runtime.hanging import ended, first
from actors.runtime.health_watch import watch_over
from actors.runtime.live_settings import LiveSettings
from actors.runtime.metrics import measure_for_ever
from actors.runtime.observing import observe_process
from actors.runtime.ray_actors import (
    NAMESPACE,
    get_or_create,
    node_address,
    spare_garbage_collection,
    whereabouts,
)
from actors.runtime.retrying import until_done
from actors.runtime.rpc_client import RpcClient
from actors.runtime.rpc_link import Endpoint
from actors.runtime.rpc_server import RpcServer
from actors.settings import Settings

MOST_TOLD = 1000
"""Orders that one host tells of at a time."""
SWEEP_S = 1.0
SUPERFLUOUS_LOOK_S = 10.0
DEDICATED_LOOK_S = 1.5
"""How often an order's own actor is asked whether its work goes on; there are up to 50."""
DEDICATED_PREFIX = "order:"


class OrderActor:
    """Hosts the orders of one host's slots (`host`), or exactly one order (`order_id`)."""

    def __init__(
        self,
        installation: Installation,
        peers: Peers,
        host: int | None,
        order_id: str | None = None,
    ) -> None:
        spare_garbage_collection()
        settings = installation.settings
        name = f"{ORDER_HOST}{host}" if order_id is None else f"{DEDICATED_PREFIX}{order_id}"
        # An order's own actor lives for minutes: its series would be many, and each soon over.
        observe_process(name, settings, exported=order_id is None)
        self.installation = installation
        self._journal = Journal(settings.url("journal"))
        steps = Steps(
            RpcClient(partial(peers.payment, installation)),
            RpcClient(partial(peers.store, installation)),
        )
        nudge = Nudge(partial(peers.projection, installation))
        self._orders = OrderHost(self._journal, steps, nudge, settings.passivate_after_s)
        self._dedicated: DedicatedOrders | None = None
        if host is not None and settings.order_isolation == "dedicated":
            self._dedicated = DedicatedOrders(
                self._orders,
                self._journal.placed_as,
                partial(_dedicated_actor, installation, peers),
                _look_after_dedicated,
                settings.dedicated_max,
                settings.passivate_after_s,
            )
        self._live = LiveSettings(settings, self._journal.database)
        self._live.tell(self._reconfigure)
        self._live.start()
        router = self._dedicated or self._orders
        ports = settings.ports_of_actors
        self._server = RpcServer(router.handle, node_address(), ports, self._trouble)
        self._host = host
        self._order_id = order_id
        self._tasks: dict[str, asyncio.Task[Any]] = {
            "recovery": asyncio.create_task(self._recover()),
            "passivation": asyncio.create_task(self._sweep()),
        }
        if host is not None:
            self._measuring = asyncio.create_task(measure_for_ever(self._orders.take_census))
            leaving = asyncio.create_task(self._leave_once_superfluous(host))
            self._tasks["leaving once superfluous"] = leaving
        if host == 0:  # for all: the memory is the database server's, or this machine's
            self._prewarming = asyncio.create_task(until_done(self._journal.prewarm_keys))
            stuck = partial(measure_stuck, self._journal)
            self._counting = asyncio.create_task(measure_for_ever(stuck))

    def _trouble(self) -> str | None:
        waits = [self._journal.database.waits]
        if self._dedicated is not None:
            waits.append(self._dedicated.waits)
        return first((ended(self._tasks), self._orders.trouble(), self._server.stalled(*waits)))

    async def endpoint(self) -> Endpoint:
        """Return where it takes commands (see `RpcServer`)."""
        return await self._server.endpoint()

    async def describe(self) -> dict[str, Any]:
        """Return its whereabouts and how many orders are in memory."""
        return {
            **whereabouts(self.installation, self._live),
            "live_orders": len(self._orders),
        }

    def _reconfigure(self, now: Settings) -> None:
        self._orders.passivate_after_s = now.passivate_after_s
        if self._dedicated is not None:
            self._dedicated.passivate_after_s = now.passivate_after_s
            self._dedicated.limit = now.dedicated_max

    async def live(
        self, store_id: str | None = None, status: str | None = None, limit: int = MOST_TOLD
    ) -> dict[str, Any]:
        """Return how many of the orders in memory match, and what `limit` of them wait for."""
        count, orders = self._orders.live(store_id, status, min(limit, MOST_TOLD))
        return {"pid": os.getpid(), "node": node_address(), "count": count, "orders": orders}

    async def retry(self, order_id: str) -> None:
        """Try at once what an order fails at; raises `Damaged` where it cannot be loaded."""
        await (self._dedicated or self._orders).retry(order_id)

    async def ready(self) -> None:
        """Prove that the journal can be written; raises `Unavailable` where it cannot."""
        await self._journal.prove_writable()

    async def at_rest(self) -> tuple[bool, datetime | None]:
        """Tell whether work is outstanding, and the payment deadline if one is running."""
        due = await self._open_orders()
        return self._orders.busy, due[0].due_at if due else None

    async def _open_orders(self) -> list[Due]:
        if self._host is not None:
            slots = slots_of(self._host, self.installation.order_hosts)
            return await self._journal.open_orders(slots)
        return await self._journal.open_order(self._order_id or "")

    async def _recover(self) -> None:
        due = await until_done(self._open_orders)
        if self._dedicated is not None:
            survivors = partial(asyncio.to_thread, self._survivors)
            self._dedicated.adopt(await until_done(survivors))
        router = self._dedicated or self._orders
        await router.recover(due)
        await OverdueOrders(self._overdue, router).look_for_ever()

    async def _overdue(self, by: datetime, after: str, limit: int) -> list[Due]:
        if self._host is not None:
            slots = slots_of(self._host, self.installation.order_hosts)
            return await self._journal.overdue(slots, by, after, limit)
        mine = await self._journal.open_order(self._order_id or "")
        return [due for due in mine if due.due_at <= by and due.order_id > after]

    def _survivors(self) -> list[str]:
        names: list[str] = ray.util.list_named_actors()
        order_ids = [name.removeprefix(DEDICATED_PREFIX) for name in names if _is_dedicated(name)]
        hosts = self.installation.order_hosts
        return [order_id for order_id in order_ids if host_of(order_id, hosts) == self._host]

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self._orders.passivate_idle()
            if self._dedicated is not None:
                await self._dedicated.passivate_idle()

    async def _leave_once_superfluous(self, host: int) -> None:
        """End this actor for good once the slots are divided among fewer hosts.

        Whoever has not heard of it yet creates it anew, and it leaves again: two hosts of one order
        are only slower, because each append says which version of the order it expects.
        """
        while True:
            await asyncio.sleep(SUPERFLUOUS_LOOK_S)
            # `ValueError`: Ray's control service does not know the name, or does not answer.
            with suppress(SirenError, RayError, ValueError):
                hosts = await self._journal.recall(ORDER_HOSTS)
                if hosts is not None and host >= int(hosts) and not self._orders.busy:
                    me = await asyncio.to_thread(ray.get_actor, f"{ORDER_HOST}{host}", NAMESPACE)
                    ray.kill(me)


def _is_dedicated(name: str) -> bool:
    return name.startswith(DEDICATED_PREFIX)


_RemoteOrderActor = ray.remote(OrderActor)


def order_host(installation: Installation, peers: Peers, host: int) -> Any:
    """Return the handle of an order host, created if missing. Blocks on Ray's control plane."""
    return get_or_create(_RemoteOrderActor, f"{ORDER_HOST}{host}", installation, peers, host)


async def _look_after_dedicated(order_id: str) -> None:
    find = partial(ray.get_actor, DEDICATED_PREFIX + order_id, NAMESPACE)
    await watch_over(find).look_for_ever(DEDICATED_LOOK_S)


def _dedicated_actor(installation: Installation, peers: Peers, order_id: str) -> Any:
    name = DEDICATED_PREFIX + order_id
    return get_or_create(_RemoteOrderActor, name, installation, peers, None, order_id)
