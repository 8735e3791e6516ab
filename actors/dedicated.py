"""Dedicated isolation: a Ray actor for each live order, named `order:<id>`, beside its host.

The host decides who gets one, because only one place can count to `limit`; the others it hosts
itself. It also ends idle ones and keeps the deadlines of orders that have no actor.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import ray
from ray.exceptions import RayError

from actors.exchange import Channel
from actors.journal import Due
from actors.messages import OrderReply, OrderRequest
from actors.order_host import OrderHost

CREATIONS_AT_A_TIME = 4
ANSWER_MARGIN_S = 10.0


class DedicatedOrders:
    """Routes the commands of some orders to actors of their own."""

    def __init__(
        self,
        host: OrderHost,
        connect: Callable[[str], Any],
        limit: int,
        passivate_after_s: float,
    ) -> None:
        self._host = host
        self._connect = connect
        self._limit = limit
        self._passivate_after_s = passivate_after_s
        self._channels: dict[str, Channel] = {}
        self._touched: dict[str, float] = {}
        self._creating = asyncio.Semaphore(CREATIONS_AT_A_TIME)

    def adopt(self, order_ids: Iterable[str]) -> None:
        """Take over actors that outlived an earlier incarnation of the host."""
        for order_id in order_ids:
            self._channel(order_id)

    async def handle(self, request: OrderRequest) -> OrderReply:
        """Carry out a command in the order's own actor, or in the host where there are enough."""
        order_id = request.order_id
        self._touched[order_id] = asyncio.get_running_loop().time()
        known = order_id in self._channels
        if not known and (order_id in self._host or len(self._channels) >= self._limit):
            self._touched.pop(order_id)
            return await self._host.handle(request)
        timeout = request.wait + ANSWER_MARGIN_S
        reply: OrderReply = await self._channel(order_id).ask(request, timeout)
        return reply

    async def recover(self, open_orders: Iterable[Due]) -> None:
        """Wake open orders after a start, a few actors at a time, the rest in the host."""
        now = datetime.now(UTC)
        hosted: list[Due] = []
        waking: list[str] = []
        for due in open_orders:
            fits = len(self._channels) + len(waking) < self._limit
            if due.due_at <= now and fits and due.order_id not in self._channels:
                waking.append(due.order_id)
            else:
                hosted.append(due)
        await asyncio.gather(*(self._wake(order_id) for order_id in waking))
        await self._host.recover(hosted)

    async def passivate_idle(self) -> None:
        """End the actors of idle orders; the journal has the orders."""
        horizon = asyncio.get_running_loop().time() - self._passivate_after_s
        idle = [order_id for order_id, touched in self._touched.items() if touched <= horizon]
        for order_id in idle:
            await self._passivate(order_id)

    async def _wake(self, order_id: str) -> None:
        self._channel(order_id)
        async with self._creating:
            await asyncio.to_thread(self._connect, order_id)

    def _channel(self, order_id: str) -> Channel:
        channel = self._channels.get(order_id)
        if channel is None:
            channel = Channel(lambda: self._connect(order_id))
            self._channels[order_id] = channel
            self._touched[order_id] = asyncio.get_running_loop().time()
        return channel

    async def _passivate(self, order_id: str) -> None:
        with suppress(RayError):
            actor = await asyncio.to_thread(self._connect, order_id)
            busy, deadline = await actor.at_rest.remote()
            if busy:
                return
            self._host.set_deadline(order_id, deadline)
            del self._channels[order_id], self._touched[order_id]
            await asyncio.to_thread(ray.kill, actor)
