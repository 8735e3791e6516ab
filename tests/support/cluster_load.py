"""Customers of a cluster: each orders again and again, and goes to another node in trouble."""

import asyncio
import itertools
import statistics
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

import httpx

from serve_app.contract.identity import Identity, Role
from serve_app.security.tokens import issue
from tests.support.outside import new_order
from tests.support.tokens import HOUR, bearer

ANSWER_S = 4.0
"""A customer's patience; then the same is asked of the next node, with the same key."""
SETTLED_SOON_S = 1.0
FIRST_TRIES = 1
PAUSE_S = 0.1
"""Of a customer between two orders, and of a reader: hosts and customers share two cores."""


@dataclass
class Placed:
    """An order: when it was begun and settled, in seconds of `time.monotonic`, and after what."""

    order_id: str
    begun: float
    acknowledged: float
    settled: float | None
    tries: int


@dataclass
class Load:
    """Orders at `addresses` on some connections, and reads, until the block ends."""

    addresses: list[str]
    secret: bytes
    connections: int = 8
    readers: int = 2
    patience: float = ANSWER_S
    placed: list[Placed] = field(default_factory=list)
    reads: int = 0
    failed: list[str] = field(default_factory=list)
    failed_reads: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    """Nodes whose plug was pulled: their customers go elsewhere, nobody reads there."""

    def __post_init__(self) -> None:
        token = issue(self.secret, Identity("till", Role.SERVICE), HOUR)[0]
        self._headers = bearer(token)
        self._by_connection: list[tuple[int, Placed]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def requests(self) -> int:
        """How many were answered."""
        return len(self.placed) + self.reads

    def wait_for(self, requests: int, within: float = 60.0) -> None:
        """Wait until so many requests are answered, orders among them."""
        deadline = time.monotonic() + within
        while self.requests < requests:
            assert time.monotonic() < deadline, f"few requests: {self.figures()}"
            time.sleep(0.05)

    def settled_since(self, moment: float) -> float | None:
        """Return how long after a moment every connection had an order settled soon, in seconds.

        None while that has not happened.
        """
        firsts: dict[int, float] = {}
        for number, placed in list(self._by_connection):
            soon = placed.settled is not None and placed.settled - placed.begun < SETTLED_SOON_S
            if placed.begun >= moment and soon and number not in firsts:
                firsts[number] = placed.settled or 0.0
        return max(firsts.values()) - moment if len(firsts) == self.connections else None

    def figures(self, since: float = 0.0) -> dict[str, Any]:
        """Return what is worth printing of the orders begun since a moment."""
        orders = [each for each in self.placed if each.begun >= since]
        waits = sorted(each.acknowledged - each.begun for each in orders)
        return {
            "orders": len(orders),
            "p50_ms": round(1000 * statistics.median(waits), 1) if waits else None,
            "longest_s": round(waits[-1], 1) if waits else None,
            "repeated": sum(each.tries > FIRST_TRIES for each in orders),
            "failed_once": len(self.failed),
            "reads": self.reads,
            "failed_reads": len(self.failed_reads),
        }

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as everybody:
            for number in range(self.connections):
                everybody.create_task(self._customer(number))
            for number in range(self.readers):
                everybody.create_task(self._reader(number))

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            headers=self._headers, timeout=httpx.Timeout(self.patience, connect=1)
        )

    async def _customer(self, number: int) -> None:
        nodes = itertools.cycle(self.addresses[number % len(self.addresses) :] + self.addresses)
        node = next(nodes)
        async with self._client() as http:
            while not self._over.is_set():
                key, body, begun, tries = uuid4().hex, new_order(), time.monotonic(), 0
                while True:
                    tries += 1
                    while node in self.gone:
                        node = next(nodes)
                    answer = await self._post(http, node, body, key)
                    if answer is not None:
                        break
                    if self._over.is_set() and time.monotonic() > begun + 60:
                        raise AssertionError(f"an order gets no answer: {self.failed[-3:]}")
                    node = next(nodes)
                    await asyncio.sleep(0.05)
                now = time.monotonic()
                settled = now if answer["order_status"] == "ACCEPTED" else None
                placed = Placed(answer["order_id"], begun, now, settled, tries)
                self.placed.append(placed)
                self._by_connection.append((number, placed))
                await asyncio.sleep(PAUSE_S)

    async def _post(
        self, http: httpx.AsyncClient, node: str, body: object, key: str
    ) -> dict[str, Any] | None:
        headers = {"Prefer": "wait=3", "Idempotency-Key": key}
        try:
            response = await http.post(f"http://{node}/orders", json=body, headers=headers)
        except httpx.HTTPError as error:
            self.failed.append(f"{time.monotonic():.2f} {node} {error!r}")
            return None
        if response.status_code not in (200, 201, 202):
            self.failed.append(f"{time.monotonic():.2f} {node} {response.status_code}")
            assert response.status_code >= 500, response.text
            return None
        found: dict[str, Any] = response.json()
        return found

    async def _reader(self, number: int) -> None:
        nodes = itertools.cycle(self.addresses[number % len(self.addresses) :] + self.addresses)
        async with self._client() as http:
            while not self._over.is_set():
                node = next(nodes)
                if node in self.gone or not self.placed:
                    await asyncio.sleep(PAUSE_S)
                    continue
                order_id = self.placed[(len(self.placed) - 1) // 2].order_id
                await self._get(http, node, order_id)
                await asyncio.sleep(PAUSE_S)

    async def _get(self, http: httpx.AsyncClient, node: str, order_id: str) -> None:
        begun = time.monotonic()
        self.reads += 1
        try:
            status = (await http.get(f"http://{node}/order-details/{order_id}")).status_code
        except httpx.HTTPError as error:
            if node not in self.gone:
                self.failed_reads.append(f"{begun:.2f} {node} {error!r}")
        else:
            if status not in (200, 404) and node not in self.gone:
                self.failed_reads.append(f"{begun:.2f} {node} {status}")
