"""Customers, baristas and the owner, who note what they were told, and when."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from uuid import uuid4

import httpx

from tests.support.outside import ASYNC, SETTLED, Detail, card, headers, new_order

ITEM = "/stores/gangnam/menu/cheesecake"
"""Nobody orders it: its price tells which change of the menu is there."""
FIRST_PRICE = 10_000


@dataclass
class Asked:
    """A command, when it was sent, and what it was answered; times in CLOCK_MONOTONIC's ns."""

    path: str
    body: object
    key: str
    began: int
    ended: int | None = None
    status: int = 0
    detail: Detail = field(default_factory=dict)


class Witness:
    """Sends requests, and notes them with their answers."""

    def __init__(self, http: httpx.AsyncClient, seed: int) -> None:
        self._http = http
        self.random = Random(seed)
        self.asked: list[Asked] = []
        self.prices: list[tuple[int, int]] = []
        """When a price was acknowledged, and which."""
        self.alone_until = 0
        """Until when there was one order alone."""
        self._price = FIRST_PRICE

    async def post(self, path: str, body: object = None, prefer: str = SETTLED) -> Detail:
        """Send a command once; it has to succeed."""
        asked = Asked(path, body, uuid4().hex, time.monotonic_ns())
        self.asked.append(asked)
        answer = await self._http.post(path, json=body, headers=headers(asked.key, prefer))
        assert answer.is_success, answer.text
        self._note(asked, answer)
        return asked.detail

    async def look(self, order_id: str) -> Detail:
        """Read an order: what was told of it must be as true later as any acknowledgement."""
        asked = Asked(f"/orders/{order_id}", None, "", time.monotonic_ns())
        self._note(asked, await self._http.get(asked.path))
        self.asked.append(asked)
        return asked.detail

    def _note(self, asked: Asked, answer: httpx.Response) -> None:
        asked.status, asked.detail = answer.status_code, answer.json()
        asked.ended = time.monotonic_ns()

    async def change_price(self) -> None:
        """Change the menu of the store's database."""
        self._price += 1
        answer = await self._http.patch(ITEM, json={"price": self._price})
        assert answer.is_success, answer.text
        self.prices.append((time.monotonic_ns(), self._price))


async def _served(witness: Witness) -> None:
    order_id = (await witness.post("/orders", new_order()))["order_id"]
    for move in ("start", "ready", "complete"):
        await witness.post(f"/pickups/{order_id}/{move}")


async def _called_off(witness: Witness) -> None:
    order_id = (await witness.post("/orders", new_order()))["order_id"]
    await witness.post(f"/orders/{order_id}/cancel")


async def _hurried(witness: Witness) -> None:
    order_id = (await witness.post("/orders", new_order(), ASYNC))["order_id"]
    await witness.look(order_id)
    await witness.post(f"/orders/{order_id}/cancel", prefer=ASYNC)


async def _paid_later(witness: Witness) -> None:
    order_id = (await witness.post("/orders", new_order(None)))["order_id"]
    await witness.post(f"/orders/{order_id}/payment", card())


async def _declined(witness: Witness) -> None:
    order_id = (await witness.post("/orders", new_order("tok_no_money")))["order_id"]
    await witness.look(order_id)
    await witness.post(f"/orders/{order_id}/payment", card(), ASYNC)


async def _forgotten(witness: Witness) -> None:
    await witness.post("/orders", new_order(None), ASYNC)
    await witness.change_price()


LIVES: tuple[Callable[[Witness], Awaitable[None]], ...] = (
    _served,
    _called_off,
    _hurried,
    _paid_later,
    _declined,
    _forgotten,
)


async def rush_hour(witness: Witness, orders: int, customers: int) -> None:
    """Let so many customers live through so many orders, of all kinds alike."""
    lives = [LIVES[n % len(LIVES)] for n in range(orders)]
    witness.random.shuffle(lives)

    async def customer() -> None:
        while lives:
            await lives.pop()(witness)

    await asyncio.gather(*(customer() for _ in range(customers)))


async def one_life(witness: Witness) -> None:
    """One order from its first command to the customer's hand, and nothing else."""
    await _served(witness)


async def one_life_then_rush_hour(witness: Witness) -> None:
    """One order alone, then enough of them for some checkpoints."""
    await one_life(witness)
    witness.alone_until = time.monotonic_ns()
    await rush_hour(witness, orders=18, customers=4)
