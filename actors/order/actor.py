"""The Ray actor that hosts orders: all of some slots, or in dedicated isolation a single one."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import ray

from actors.addressing import get_or_create, host_of, node_address, slots_of, whereabouts
from actors.installation import Installation
from actors.order.dedicated import DedicatedOrders
from actors.order.host import OrderHost
from actors.order.journal import Due, Journal
from actors.order.nudge import Nudge
from actors.order.overdue import OverdueOrders
from actors.order.steps import Steps
from actors.payment.actor import payment_actor
from actors.runtime.exchange import Channel, Endpoint, Exchange
from actors.runtime.process import spare_garbage_collection
from actors.runtime.retrying import until_done
from actors.store.actor import store_actor

SWEEP_S = 1.0
DEDICATED_PREFIX = "order:"

Projection = Callable[[Installation], Any]
"""Returns the handle of the projection actor; passed in, because the read side stands above."""


class OrderActor:
    """Hosts the orders of one host's slots (`host`), or exactly one order (`order_id`)."""

    def __init__(
        self,
        installation: Installation,
        projection: Projection,
        host: int | None,
        order_id: str | None = None,
    ) -> None:
        spare_garbage_collection()
        settings = installation.settings
        self.installation = installation
        self._journal = Journal(settings.url("journal"))
        steps = Steps(
            Channel(lambda: payment_actor(installation)), Channel(lambda: store_actor(installation))
        )
        nudge = Nudge(lambda: projection(installation))
        self._orders = OrderHost(self._journal, steps, nudge, settings.passivate_after_s)
        self._dedicated: DedicatedOrders | None = None
        if host is not None and settings.order_isolation == "dedicated":
            self._dedicated = DedicatedOrders(
                self._orders,
                self._journal.placed_as,
                lambda order_id: _dedicated_actor(installation, projection, order_id),
                settings.dedicated_max,
                settings.passivate_after_s,
            )
        router = self._dedicated or self._orders
        self._exchange = Exchange(router.handle, node_address())
        self._host = host
        self._order_id = order_id
        self._tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._recover()),
            asyncio.create_task(self._sweep()),
        ]
        if host == 0:  # for all: the memory is the database server's, or this machine's
            self._tasks.append(asyncio.create_task(until_done(self._journal.prewarm_keys)))

    async def endpoint(self) -> Endpoint:
        """Return where it takes commands (see `Exchange`)."""
        return await self._exchange.endpoint()

    async def describe(self) -> dict[str, Any]:
        """Return its whereabouts and how many orders are in memory."""
        return {**whereabouts(self.installation), "live_orders": len(self._orders)}

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
            self._dedicated.adopt(await asyncio.to_thread(self._survivors))
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


def _is_dedicated(name: str) -> bool:
    return name.startswith(DEDICATED_PREFIX)


_RemoteOrderActor = ray.remote(OrderActor)


def order_host(installation: Installation, projection: Projection, host: int) -> Any:
    """Return the handle of an order host, created if missing. Blocks on Ray's control plane."""
    return get_or_create(_RemoteOrderActor, f"order-host:{host}", installation, projection, host)


def _dedicated_actor(installation: Installation, projection: Projection, order_id: str) -> Any:
    name = DEDICATED_PREFIX + order_id
    return get_or_create(_RemoteOrderActor, name, installation, projection, None, order_id)
