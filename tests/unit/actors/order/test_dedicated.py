"""Dedicated isolation: when the actor of an order is ended."""

import asyncio
import threading
from collections.abc import Iterable
from typing import Any, cast

from ray.exceptions import ActorDiedError, RayError

from actors.contracts.messages import OrderRequest
from actors.order.dedicated import DedicatedOrders
from actors.order.host import OrderHost
from actors.order.journal import Due
from actors.runtime.clock import utc_now

ORDER_ID = "0" * 35
PATIENCE = 30.0


class NoOrders:
    """What `DedicatedOrders` asks of the host about an order that nobody has placed."""

    def __contains__(self, _order_id: str) -> bool:
        return False


class OneOrder(NoOrders):
    """A host that notes which orders it takes up."""

    def __init__(self) -> None:
        self.recovered: list[str] = []

    async def recover(self, open_orders: Iterable[Due]) -> None:
        self.recovered += [due.order_id for due in open_orders]


class Starting:
    """Ray, while the process of the actor starts: to connect takes until `started`."""

    def __init__(self) -> None:
        self.connecting = asyncio.Event()
        self.connected = 0
        self.started = threading.Event()
        self._loop = asyncio.get_running_loop()

    def connect(self, _order_id: str) -> Any:
        self.connected += 1
        self._loop.call_soon_threadsafe(self.connecting.set)
        assert self.started.wait(PATIENCE)
        raise ActorDiedError


async def nobody(_order_id: str) -> None:
    """Tell that no key has placed an order."""


async def nobody_looks(_order_id: str) -> None:
    """Look after an order's actor: not here."""


async def test_an_actor_whose_process_still_starts_is_not_ended_as_idle() -> None:
    ray = Starting()
    host = cast(OrderHost, NoOrders())
    dedicated = DedicatedOrders(
        host, nobody, ray.connect, nobody_looks, limit=1, passivate_after_s=0
    )
    command = asyncio.ensure_future(dedicated.handle(OrderRequest(ORDER_ID, b"", 0)))
    try:
        await asyncio.wait_for(ray.connecting.wait(), PATIENCE)
        await asyncio.wait_for(dedicated.passivate_idle(), PATIENCE)
        assert ray.connected == 1  # by the command alone, nobody who would end the actor
        assert dedicated.works_on(ORDER_ID)
    finally:
        command.cancel()
        ray.started.set()
        await asyncio.wait([command])


async def test_what_is_open_is_taken_up_although_ray_does_not_answer_at_first() -> None:
    asked: list[str] = []

    def connect(order_id: str) -> Any:
        asked.append(order_id)
        if len(asked) == 1:
            raise RayError("the control service is away")

    host = OneOrder()
    dedicated = DedicatedOrders(
        cast(OrderHost, host), nobody, connect, nobody_looks, limit=1, passivate_after_s=60
    )
    due = [Due(order_id * 35, utc_now()) for order_id in "01"]
    await asyncio.wait_for(dedicated.recover(due), PATIENCE)
    assert asked == [ORDER_ID, ORDER_ID]
    assert host.recovered == ["1" * 35]
