"""The customers and baristas of a run: they place, pay, cancel and make orders at a rate, and read.

Each order has a customer of its own, whose id begins with the run's name, and a history of all that
anybody asked of it.
"""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from actors.contracts.errors import SirenError
from cluster.chaos.clients import Clients
from cluster.chaos.history import Answered, History, Violation, shown_by
from cluster.chaos.lives import Act, Life, life_of

ORDERS, COMMANDS, READS, DETAILS = "orders", "other commands", "reads of orders", "order details"
MOST_AT_ONCE = 400
"""So many orders under way, and no more are placed: what is behind is not to be drowned."""
VIEWED_EVERY_S = 0.25
SOON_S, LOOK_S = 2.0, 0.05
"""The view follows the journal: from another machine it may be looked at before it has."""
WAIT = "wait=1"
PLACED = (200, 201)
REFUSALS = {"store_closed", "store_full", "sold_out"}
PATHS = {"pay": "/orders/{}/payment", "cancel": "/orders/{}/cancel"}
"""Of those commands that are no button of the barista's."""


class Goods(NamedTuple):
    """What a store sells."""

    store_id: str
    menu_id: str


@dataclass
class Order:
    """An order that was acknowledged, and what it costs, as was said then."""

    order_id: str
    customer_id: str
    total: int
    history: History = field(default_factory=History)


class Customers:
    """Those of one stretch of a run; `first` is the number of its first order."""

    def __init__(
        self, clients: Clients, goods: Sequence[Goods], run: str, seed: int, first: int = 0
    ) -> None:
        self._clients = clients
        self._goods = goods
        self.refused: Counter[str] = Counter()
        """Orders that a store did not take, by the reason: closed, sold out, full."""
        self._run = run
        self._seed = seed
        self.next = first
        self.orders: dict[str, Order] = {}
        self.violations: list[Violation] = []
        self._closing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def prefix(self) -> str:
        """What the ids of its customers begin with."""
        return f"chaos-{self._run}-"

    async def order(self, rate: float, over: asyncio.Event) -> None:
        """Let so many orders begin a second until it is over."""
        began, made = time.monotonic(), 0
        while not over.is_set():
            if (time.monotonic() - began) * rate >= made and len(self._tasks) < MOST_AT_ONCE:
                made += 1
                self._begin(self._live(self.next, life_of(self._seed, self.next)))
                self.next += 1
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 0.2 / rate)

    async def finish(self, within: float) -> int:
        """Let everybody get the answers they wait for and leave; return how many got none."""
        self._closing.set()
        _, late = await asyncio.wait(self._tasks, timeout=within) if self._tasks else (0, set())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.violations.append(Violation("", "unreadable_answer", repr(error)))

    async def _live(self, number: int, life: Life) -> None:
        order = await self._placed(f"{self.prefix}{number}", life)
        if order is None:
            return
        self.orders[order.order_id] = order
        async with asyncio.TaskGroup() as people:
            viewer = people.create_task(self._view(order))
            done = [people.create_task(self._act(order, acts)) for acts in life.people]
            await asyncio.wait(done)
            viewer.cancel()

    async def _placed(self, customer: str, life: Life) -> Order | None:
        goods = self._goods[int(life.store * len(self._goods))]
        body = _body(customer, goods, life.token)
        fields = {"Idempotency_Key": uuid.uuid4().hex, "Prefer": f"wait={life.wait_s}"}

        async def send() -> Answered:
            return await self._clients.ask(ORDERS, "POST", "/orders", body, **fields)

        answers = await asyncio.gather(*(send() for _ in range(2 if life.twice else 1)))
        codes = {a.body.get("code") for a in answers if a.status not in PLACED}
        if codes:
            if codes <= REFUSALS:
                self.refused.update(codes)
            else:
                said = ", ".join(f"{a.status} {a.body.get('code', '')}" for a in answers)
                self.violations.append(Violation("", "not_placed", f"{customer}: {said}"))
            return None
        known = {str(answer.body["order_id"]) for answer in answers}
        if len(known) > 1:
            words = f"one key placed {' and '.join(sorted(known))}"
            self.violations.append(Violation(min(known), "placed_twice", words))
        order = Order(known.pop(), customer, answers[0].body["total"])
        first, *others = answers
        # Which of two took effect cannot be seen: it did between the first begin and the first end.
        begin, end = min(a.begin for a in answers), min(a.end for a in answers)
        order.history.commanded(
            "place", first._replace(begin=begin, end=max(end, first.end)), life.token
        )
        for answer in others:
            order.history.read(answer._replace(status=200))
        return order

    async def _act(self, order: Order, acts: tuple[Act, ...]) -> None:
        for act in acts:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), act.pause_s)
            if self._closing.is_set():
                return
            await self._command(order, act)
            order.history.read(await self._clients.ask(READS, "GET", f"/orders/{order.order_id}"))

    async def _command(self, order: Order, act: Act) -> None:
        path = PATHS.get(act.command, f"/pickups/{{}}/{act.command}").format(order.order_id)
        body: dict[str, str] | None = None
        if act.command == "pay":
            body = {"method": "card", "token": act.token}
        elif act.command in ("cancel", "reject"):
            body = {"reason": "chaos"}
        fields = {"Idempotency_Key": uuid.uuid4().hex, "Prefer": WAIT}
        begin = time.monotonic()
        try:
            answer = await self._clients.ask(COMMANDS, "POST", path, body, **fields)
        except asyncio.CancelledError:
            order.history.unanswered(act.command, begin, act.token)
            raise
        order.history.commanded(act.command, answer, act.token)

    async def _view(self, order: Order) -> None:
        while True:
            await self.view(order)
            await asyncio.sleep(VIEWED_EVERY_S)

    async def view(self, order: Order) -> Answered:
        """Read an order's details, and return the answer."""
        answer = await self._clients.ask(DETAILS, "GET", f"/order-details/{order.order_id}")
        order.history.viewed(answer)
        return answer

    async def read(self, order: Order) -> Answered:
        """Read the order itself, and return the answer."""
        answer = await self._clients.ask(READS, "GET", f"/orders/{order.order_id}")
        order.history.read(answer)
        return answer

    async def is_served(self) -> bool:
        """Place an order, and return whether it is accepted and the view shows it, both soon."""
        customer = f"{self.prefix}{self.next}"
        self.next += 1
        order = await self._placed(customer, Life(0, "tok_approve", 2, twice=False, people=()))
        if order is None:
            return False
        self.orders[order.order_id] = order
        until = time.monotonic() + SOON_S
        while time.monotonic() < until:
            shown = shown_by((await self.view(order)).body)
            if shown is not None and shown.order == "ACCEPTED":
                return True
            await asyncio.sleep(LOOK_S)
        return False


def _body(customer: str, goods: Goods, token: str) -> dict[str, object]:
    body: dict[str, object] = {
        "customer": {"id": customer, "name": "Chaos", "tel": "010-0000-0000"},
        "store_id": goods.store_id,
        "items": [{"menu_id": goods.menu_id, "quantity": 2}],
    }
    return body | ({"payment": {"method": "card", "token": token}} if token else {})


async def goods_of(clients: Clients) -> list[Goods]:
    """Return one thing that each open store has; raises `SirenError` where none has any."""
    stores = (await clients.ask(READS, "GET", "/stores")).body["items"]
    goods = []
    for store in (each["store_id"] for each in stores if each["open"]):
        menu = (await clients.ask(READS, "GET", f"/stores/{store}/menu")).body["items"]
        there = [item["menu_id"] for item in menu if not item["sold_out"]]
        goods += [Goods(store, menu_id) for menu_id in there[:1]]
    if not goods:
        raise SirenError("nothing_to_order", "no store of this system is open and has anything")
    return goods
