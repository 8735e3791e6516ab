"""The payment provider: a third party with books of its own, which nothing here can harm.

Only the way to it may fail. It is also the independent record of what customers were charged.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from actors.contracts.errors import Unavailable
from actors.payment.provider import Charge, ChargeStatus
from cluster.simulation.chance import ANSWERED, ASKED, Fault, place
from cluster.simulation.ports import Port

if TYPE_CHECKING:
    from cluster.simulation.world import World

APPROVING = "tok_approve"
APPROVED, DECLINED, CANCELED = ChargeStatus.APPROVED, ChargeStatus.DECLINED, ChargeStatus.CANCELED


class ThirdParty(Port):
    """Stands in for `SimulatedProvider`: the same promises, and a network in between."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.charges: dict[str, Charge] = {}

    async def authorize(self, key: str, amount: int, currency: str, token: str) -> Charge:
        """See `PaymentProvider`."""
        charge: Charge = await self._ask("authorize", key, amount, currency, token)
        return charge

    async def cancel(self, key: str) -> None:
        """See `PaymentProvider`."""
        await self._ask("cancel", key)

    async def find(self, key: str) -> Charge | None:
        """See `PaymentProvider`."""
        charge: Charge | None = await self._ask("find", key)
        return charge

    def live_charges(self, order_id: str) -> list[Charge]:
        """Return the charges of an order that stand."""
        mine = f"{order_id}:"
        return [
            charge
            for key, charge in self.charges.items()
            if charge.status is APPROVED and key.startswith(mine)
        ]

    async def _ask(self, method: str, *args: Any) -> Any:
        world = self._world
        loop, sender = world.loop, world.loop.current
        future: asyncio.Future[Any] = loop.create_future()
        if sender.dead:
            return await future
        fault, bits = world.chance.draw(place(f"{sender.role} → provider: {method}", ASKED))
        if world.story.lines is not None:
            world.tell(f"{sender} → provider: {method} {world.named(args[0])}")
        if fault is not None:
            world.tell_fault(f"{method} {sender} → provider", fault)
            if fault is Fault.FAILS:
                await asyncio.sleep(0.01)
                raise Unavailable("provider_unavailable", "The payment provider is unavailable.")
            if fault is Fault.SWALLOWED:
                return await future
        when = loop.now + world.network.delay_s(bits, fault)
        asked = sender, future, method, args
        if fault is None:
            loop.at(when, world.itself, self._arrive, *asked)
        else:
            world.surely_at(when, self._arrive, *asked)
        if fault is Fault.TWICE:
            world.surely_at(when + 0.002 + (bits >> 48 & 0xFF) / 64, self._arrive, *asked)
        return await future

    def _arrive(self, sender: Any, future: "asyncio.Future[Any]", method: str, args: Any) -> None:
        answer = getattr(self, f"_{method}")(*args)
        world = self._world
        fault, bits = world.chance.draw(place(f"provider → {sender.role}: {method}", ANSWERED))
        if world.story.lines is not None:
            world.tell(f"provider → {sender}: {method} {getattr(answer, 'status', 'done')}")
        if fault is not None:
            world.tell_fault(f"the answer of the provider to {method}", fault)
            if fault is Fault.SWALLOWED:
                return
        when = world.loop.now + world.network.delay_s(bits, fault)
        world.loop.at(when, world.itself, world.loop.settle, sender, future, answer)

    def _authorize(self, key: str, amount: int, currency: str, token: str) -> Charge:
        known = self.charges.get(key)
        if known is not None:
            return known
        status = APPROVED if token == APPROVING else DECLINED
        charge = Charge(f"ch_{key}", status, amount, currency)
        self.charges[key] = charge
        self._world.record.charged(key)
        return charge

    def _cancel(self, key: str) -> None:
        known = self.charges.get(key)
        amount, currency = (None, None) if known is None else (known.amount, known.currency)
        self.charges[key] = Charge(f"ch_{key}", CANCELED, amount, currency)

    def _find(self, key: str) -> Charge | None:
        return self.charges.get(key)
