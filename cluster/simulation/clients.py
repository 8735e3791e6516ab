"""Customers and baristas: they ask, ask again with the same key, and remember what they were told.

What is written down here is the record that the journal is held against.
"""

import asyncio
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import msgspec

from actors.contracts.errors import SirenError, Unavailable
from actors.contracts.messages import MenuItemChange, OrderReply, StoreChange
from actors.order.ids import hash_key
from actors.order.new_order import NewOrder
from cluster.simulation.plan import Step

if TYPE_CHECKING:
    from cluster.simulation.world import World

SHOP = "gangnam"
ITEM, PRICE = "americano", 4500
OUT_OF_TURN = ("out_of_turn",)
MISUSE = "idempotency_mismatch"
"""Nobody here uses a key for two different requests."""
PATIENCE = 2
"""How often a barista looks again whether an order can be made."""


@dataclass
class Answer:
    """What somebody was told in the end: `reply`, or why not."""

    step: Step
    order_id: str
    key_hash: str
    reply: OrderReply | None
    refusal: SirenError | None


@dataclass
class Ask:
    """One request, from when to when somebody waited, and how it was refused if it was.

    Nobody knows what becomes of one that is neither refused nor `answered`.
    """

    order: int
    what: str
    key: str
    asked_at: float
    ended_at: float = inf
    answered: bool = False
    refusal: SirenError | None = None


class Clients:
    """Everybody outside, in one schedule."""

    def __init__(self, world: "World", siren: Any) -> None:
        self._world = world
        self._siren = siren
        self.answers: list[Answer] = []
        self.asks: list[Ask] = []
        self.ids: dict[int, str] = {}
        self.at_work = 0
        self._placed: dict[int, asyncio.Event] = {}

    def begin(self, steps: tuple[Step, ...]) -> None:
        """Let everybody do what they do."""
        self.at_work = len(steps)
        self._placed = {step.order: asyncio.Event() for step in steps}
        placings = [step.order for step in steps if step.what == "place"]
        self._placings = {order: placings.count(order) for order in set(placings)}
        for step in steps:
            asyncio.create_task(self._do(step))  # noqa: RUF006 - the loop keeps it

    async def _do(self, step: Step) -> None:
        try:
            await asyncio.sleep(step.at)
            if step.what not in ("place", *CHANGES):
                if step.order in self._placings:
                    await self._placed[step.order].wait()
                if step.order not in self.ids:
                    return
            await self._ask_until_answered(step)
        except Exception as error:  # noqa: BLE001 - or it would pass as if nobody had asked
            self._world.record.surprised_by(error)
        finally:
            self.at_work -= 1
            if step.what == "place":
                self._placings[step.order] -= 1
                if not self._placings[step.order]:
                    self._placed[step.order].set()

    async def _ask_until_answered(self, step: Step) -> None:
        key, patience = step.key, PATIENCE
        for attempt in range(step.tries):
            try:
                reply = await self._ask(step, key)
            except Unavailable as error:
                self._tell(step, f"no answer ({error.code})")
                await asyncio.sleep(0.3 * 2**attempt)
                continue
            except SirenError as refusal:
                if refusal.code == MISUSE:
                    self._world.record.violated(
                        "a key is taken for another", f"{key}, by {step.what} of {step.order + 1}"
                    )
                self._note(step, key, None, refusal)
                if refusal.code not in OUT_OF_TURN or not patience:
                    return
                patience -= 1
                key = f"{step.key}.{patience}"  # not a repeat: it is asked anew
                await asyncio.sleep(1.0)
                continue
            if reply is not None:
                self._note(step, key, reply, None)
            return

    async def _ask(self, step: Step, key: str) -> OrderReply | None:
        loop = self._world.loop
        ask = Ask(step.order, step.what, key, loop.now)
        self.asks.append(ask)
        try:
            reply = await self._send(step, key)
            ask.answered = True
        except SirenError as error:
            ask.refusal = None if isinstance(error, Unavailable) else error
            raise
        finally:
            ask.ended_at = loop.now
        return reply

    async def _send(self, step: Step, key: str) -> OrderReply | None:
        siren, wait = self._siren, step.wait
        if step.what == "place":
            return await siren.place(_order(step), key, wait)  # type: ignore[no-any-return]
        if step.what in CHANGES:
            change = CHANGES[step.what]
            send = siren.change_store if isinstance(change, StoreChange) else siren.change_menu_item
            await send(change)
            return None
        order_id = self.ids[step.order]
        given: tuple[Any, ...] = ()
        if step.what == "pay":
            given = (step.token,)
        elif step.what in ("cancel", "reject"):
            given = (f"because {step.key}",)
        if step.what == "erase":
            return await siren.erase(order_id, wait)  # type: ignore[no-any-return]
        return await getattr(siren, step.what)(order_id, *given, key=key, wait=wait)  # type: ignore[no-any-return]

    def _note(
        self,
        step: Step,
        key: str,
        reply: OrderReply | None,
        refusal: SirenError | None,
    ) -> None:
        order_id = self.ids.get(step.order, "")
        if reply is not None:
            order_id = msgspec.json.decode(reply.detail)["order_id"]
            if step.what == "place":
                if any(theirs == order_id for n, theirs in self.ids.items() if n != step.order):
                    self._world.record.violated(
                        "told of another's order", f"key {key} of two customers placed {order_id}"
                    )
                known = self.ids.setdefault(step.order, order_id)
                if known != order_id:
                    self._world.record.violated(
                        "placed twice", f"key {key} placed {known} and {order_id}"
                    )
                self._placed[step.order].set()
        hashed = self.hashed(order_id, key) if order_id else ""
        self.answers.append(Answer(step, order_id, hashed, reply, refusal))
        if reply is not None:
            self._tell(step, f"{reply.order_status}, version {reply.version}")
        else:
            self._tell(step, f"refused: {refusal}")

    def hashed(self, order_id: str, key: str) -> str:
        """Return a key as the journal has it."""
        return hash_key(self._world.installation.secret, order_id, key)

    def _tell(self, step: Step, words: str) -> None:
        if self._world.story.lines is not None:
            who = "the barista" if step.what in BARISTA else "the customer"
            self._world.tell(f"{who} is told of {step.what}: {words}")


BARISTA = ("start", "ready", "complete", "reject", "close", "sell out", "raise the price")
CHANGES: dict[str, StoreChange | MenuItemChange] = {
    "close": StoreChange(SHOP, open=False, set_capacity=False, capacity=None),
    "sell out": MenuItemChange(SHOP, ITEM, sold_out=True, price=None),
    "raise the price": MenuItemChange(SHOP, ITEM, sold_out=None, price=PRICE + 500),
}


def _order(step: Step) -> NewOrder:
    quantity = step.order + 1
    return NewOrder(
        customer_id=f"customer-{step.order}",
        name="Ada",
        tel="010-1234-5678",
        store_id=SHOP,
        items=((ITEM, quantity),),
        token=step.token,
        expected_total=PRICE * quantity,
    )
