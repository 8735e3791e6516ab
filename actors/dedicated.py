"""Dedicated isolation: a Ray actor for each live order, named `order:<id>`, beside its host.

The host decides who gets one, because only one place can count to `limit`; the others it hosts
itself. It also ends idle ones and keeps the deadlines of orders that have no actor.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ray
from ray.exceptions import RayError

from actors.addressing import key_of
from actors.domain.errors import AlreadyPlaced
from actors.exchange import Channel
from actors.journal import Due
from actors.messages import OrderReply, OrderRequest
from actors.order_host import OrderHost

CREATIONS_AT_A_TIME = 4
ANSWER_MARGIN_S = 10.0


@dataclass(slots=True)
class _OwnActor:
    order_id: str
    channel: Channel
    touched: float


class DedicatedOrders:
    """Routes the commands of some orders to actors of their own.

    `placed_as` tells which order the key of an id has placed; `connect` returns an order's actor
    and creates it if it is missing.
    """

    def __init__(
        self,
        host: OrderHost,
        placed_as: Callable[[str], Awaitable[str | None]],
        connect: Callable[[str], Any],
        limit: int,
        passivate_after_s: float,
    ) -> None:
        self._host = host
        self._placed_as = placed_as
        self._connect = connect
        self._limit = limit
        self._passivate_after_s = passivate_after_s
        # By key: each repeat of a request comes with an id of its own, and shall not get an actor.
        self._actors: dict[str, _OwnActor] = {}
        self._creating = asyncio.Semaphore(CREATIONS_AT_A_TIME)

    def adopt(self, order_ids: Iterable[str]) -> None:
        """Take over actors that outlived an earlier incarnation of the host."""
        for order_id in order_ids:
            self._own_actor(order_id)

    async def handle(self, request: OrderRequest) -> OrderReply:
        """Carry out a command in the order's own actor, or in the host where there are enough.

        Raises what `OrderHost.handle` raises.
        """
        order_id = request.order_id
        if key_of(order_id) not in self._actors and order_id not in self._host:
            placed = await self._placed_as(order_id)
            if placed is not None and placed != order_id:
                raise AlreadyPlaced(placed)
        known = key_of(order_id) in self._actors
        if not known and (order_id in self._host or len(self._actors) >= self._limit):
            return await self._host.handle(request)
        own = self._own_actor(order_id)
        if own.order_id != order_id:  # two with one key at once: the journal knows who was first
            return await self._host.handle(request)
        timeout = request.wait + ANSWER_MARGIN_S
        reply: OrderReply = await own.channel.ask(request, timeout)
        return reply

    async def recover(self, open_orders: Iterable[Due]) -> None:
        """Wake open orders after a start, a few actors at a time, the rest in the host."""
        now = datetime.now(UTC)
        hosted: list[Due] = []
        waking: list[str] = []
        for due in open_orders:
            fits = len(self._actors) + len(waking) < self._limit
            if due.due_at <= now and fits and key_of(due.order_id) not in self._actors:
                waking.append(due.order_id)
            else:
                hosted.append(due)
        await asyncio.gather(*(self._wake(order_id) for order_id in waking))
        await self._host.recover(hosted)

    async def passivate_idle(self) -> None:
        """End the actors of idle orders; the journal has the orders."""
        horizon = asyncio.get_running_loop().time() - self._passivate_after_s
        for own in [own for own in self._actors.values() if own.touched <= horizon]:
            await self._passivate(own.order_id)

    async def _wake(self, order_id: str) -> None:
        self._own_actor(order_id)
        async with self._creating:
            await asyncio.to_thread(self._connect, order_id)

    def _own_actor(self, order_id: str) -> _OwnActor:
        """Return the actor of an order's key, of this order where the key has none yet."""
        now = asyncio.get_running_loop().time()
        channel = Channel(lambda: self._connect(order_id))  # connects with its first request
        own = self._actors.setdefault(key_of(order_id), _OwnActor(order_id, channel, now))
        own.touched = now
        return own

    async def _passivate(self, order_id: str) -> None:
        with suppress(RayError):
            actor = await asyncio.to_thread(self._connect, order_id)
            busy, deadline = await actor.at_rest.remote()
            if busy:
                return
            self._host.set_deadline(order_id, deadline)
            del self._actors[key_of(order_id)]
            await asyncio.to_thread(ray.kill, actor)
