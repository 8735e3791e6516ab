"""Dedicated isolation: a Ray actor for each live order, named `order:<id>`, beside its host.

The host decides who gets one, because only one place can count to `limit`; the others it hosts
itself. It also ends idle ones and keeps the deadlines of orders that have no actor.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import ray
from ray.exceptions import RayError

from actors.contracts.messages import OrderReply, OrderRequest
from actors.order.host import OrderHost
from actors.order.ids import key_of
from actors.order.journal import Due
from actors.runtime.clock import utc_now
from actors.runtime.replacing import Watch
from actors.runtime.retrying import until_done
from actors.runtime.rpc_client import RpcClient
from actors.runtime.waits import NEVER_S, Waits

CREATIONS_AT_A_TIME = 4
ANSWER_MARGIN_S = 10.0
LOOK_S = 1.0


@dataclass(slots=True)
class _OwnActor:
    """The actor of one order. `answered` is set once it may be in the journal."""

    order_id: str
    channel: RpcClient
    watch: asyncio.Task[None]
    touched: float
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def idle_since(self, horizon: float) -> bool:
        """Whether no command is with it, nor was after `horizon`; one may wait for its process."""
        return not self.channel.is_asking and self.touched <= horizon


class DedicatedOrders:
    """Routes the commands of some orders to actors of their own.

    `placed_as` tells which order the key of an id has placed; `connect` returns an order's actor
    and creates it if it is missing. `look_after` goes on for ever: it has an order's actor replaced
    where that hangs.
    """

    def __init__(
        self,
        host: OrderHost,
        placed_as: Callable[[str], Awaitable[str | None]],
        connect: Callable[[str], Any],
        look_after: Callable[[str], Coroutine[Any, Any, None]],
        limit: int,
        passivate_after_s: float,
    ) -> None:
        self._host = host
        self._placed_as = placed_as
        self._connect = connect
        self.limit, self.passivate_after_s = limit, passivate_after_s
        self._look_after = look_after
        # By key: each repeat of a request comes with an id of its own, and shall not get an actor.
        self._actors: dict[str, _OwnActor] = {}
        self._creating = asyncio.Semaphore(CREATIONS_AT_A_TIME)
        self.waits = Waits()
        """The waits for actors of orders' own."""

    def adopt(self, order_ids: Iterable[str]) -> None:
        """Take over actors that outlived an earlier incarnation of the host."""
        for order_id in order_ids:
            self._own_actor(order_id).answered.set()

    async def handle(self, request: OrderRequest) -> OrderReply:
        """Carry out a command in the order's own actor.

        The host carries it out where there are enough actors, or where the id is not that of its
        key's order: it then says so, or that there is no such order. Raises what it raises.
        """
        own = await self._actor_for(request.order_id)
        if own is None:
            return await self._host.handle(request)
        try:
            with self.waits.up_to(request.wait + ANSWER_MARGIN_S + NEVER_S):
                reply: OrderReply = await own.channel.ask(request, request.wait + ANSWER_MARGIN_S)
        finally:
            own.touched = asyncio.get_running_loop().time()
            own.answered.set()
        return reply

    async def recover(self, open_orders: Iterable[Due]) -> None:
        """Wake open orders, a few actors at a time, the rest in the host."""
        now = utc_now()
        hosted: list[Due] = []
        waking: list[str] = []
        for due in open_orders:
            fits = len(self._actors) + len(waking) < self.limit
            if due.due_at <= now and fits and key_of(due.order_id) not in self._actors:
                waking.append(due.order_id)
            else:
                hosted.append(due)
        wakes = (self._wake(order_id) for order_id in waking)
        await asyncio.gather(self._host.recover(hosted), *wakes)

    async def retry(self, order_id: str) -> None:
        """Try at once what an order fails at, where it is."""
        own = self._actors.get(key_of(order_id))
        if own is None or own.order_id != order_id:
            await self._host.retry(order_id)
            return
        actor = await asyncio.to_thread(self._connect, order_id)
        await actor.retry.remote(order_id)

    def works_on(self, order_id: str) -> bool:
        """Whether the order has an actor, or the host works on it."""
        return key_of(order_id) in self._actors or self._host.works_on(order_id)

    async def passivate_idle(self) -> None:
        """End the actors of idle orders; the journal has the orders."""
        horizon = asyncio.get_running_loop().time() - self.passivate_after_s
        for own in [own for own in self._actors.values() if own.idle_since(horizon)]:
            await self._passivate(own, horizon)

    async def _wake(self, order_id: str) -> None:
        self._own_actor(order_id).answered.set()
        async with self._creating:
            await until_done(partial(asyncio.to_thread, self._connect, order_id))

    async def _actor_for(self, order_id: str) -> _OwnActor | None:
        """Return the order's actor, a new one where it gets one; None: it is for the host."""
        if self._is_for_host(order_id):
            return None
        if key_of(order_id) not in self._actors:
            placed = await self._placed_as(order_id)
            if placed not in (None, order_id) or self._is_for_host(order_id):
                return None
        own = self._own_actor(order_id)
        if own.order_id == order_id:
            return own
        await own.answered.wait()  # of two at once, the one with the actor goes first
        return None

    def _is_for_host(self, order_id: str) -> bool:
        known = key_of(order_id) in self._actors
        return not known and (order_id in self._host or len(self._actors) >= self.limit)

    def _own_actor(self, order_id: str) -> _OwnActor:
        """Return the actor of the order's key, this order's where there was none."""
        own = self._actors.get(key_of(order_id))
        if own is None:
            channel = RpcClient(lambda: self._connect(order_id))  # connects with its first request
            watch = asyncio.create_task(self._look_after(order_id))
            own = _OwnActor(order_id, channel, watch, asyncio.get_running_loop().time())
            self._actors[key_of(order_id)] = own
        return own

    async def _passivate(self, own: _OwnActor, horizon: float) -> None:
        with suppress(RayError):
            actor = await asyncio.to_thread(self._connect, own.order_id)
            asked = Watch(LOOK_S).during(actor.at_rest.remote(), actor)
            busy, deadline = await asked
            if busy or not own.idle_since(horizon):  # a command came while it was asked
                return
            self._host.set_deadline(own.order_id, deadline)
            own.watch.cancel()
            del self._actors[key_of(own.order_id)]
            await asyncio.to_thread(ray.kill, actor)
