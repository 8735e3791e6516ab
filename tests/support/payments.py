"""Words for tests of payments: what is asked of them, and what the provider's books say."""

import asyncio
from collections.abc import Callable

from sqlalchemy import func, select

from actors.contracts.errors import Unavailable
from actors.contracts.messages import ChargeRequest, RefundRequest
from actors.payment.ledger import Payment, PaymentLedger
from actors.payment.provider import Charge, SimulatedProvider
from actors.payment.provider_tables import charges
from actors.payment.service import PaymentService
from tests.support.waiting import until

Services = Callable[..., PaymentService]


class Obstacle:
    """A provider whose answers can be held back or made to fail, in front of the real one.

    `asked` says that a charge was asked for. `before` and `after` hold it up before, or after, it
    reaches the provider behind.
    """

    def __init__(self, behind: SimulatedProvider) -> None:
        self._behind = behind
        self.before, self.after, self.asked = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.before.set()
        self.after.set()
        self.authorizations = 0
        self.failing = False

    async def authorize(self, key: str, amount: int, currency: str, token: str) -> Charge:
        self.authorizations += 1
        self._fail_if_told()
        if token == "tok_held":
            self.asked.set()
            await self.before.wait()
            token = "tok_approve"
            charge = await self._behind.authorize(key, amount, currency, token)
            self.asked.set()
            await self.after.wait()
            return charge
        return await self._behind.authorize(key, amount, currency, token)

    async def cancel(self, key: str) -> None:
        self._fail_if_told()
        await self._behind.cancel(key)

    async def find(self, key: str) -> Charge | None:
        return await self._behind.find(key)

    def _fail_if_told(self) -> None:
        if self.failing:
            raise Unavailable("provider_unavailable", "told to fail")


def charge(token: str = "tok_approve", attempt: int = 1, order_id: str = "o") -> ChargeRequest:
    return ChargeRequest(order_id, attempt, 4500, "KRW", token)


def refund(attempts: int = 1, order_id: str = "o") -> RefundRequest:
    return RefundRequest(order_id, attempts)


async def provider_says(provider: SimulatedProvider) -> dict[str, str]:
    """Return the status of every key in the provider's own books."""
    async with provider.database.read() as connection:
        rows = await connection.execute(select(charges.c.key, charges.c.status))
        return {row.key: row.status for row in rows}


async def money_taken(provider: SimulatedProvider) -> int:
    query = select(func.sum(charges.c.amount)).where(charges.c.status == "APPROVED")
    async with provider.database.read() as connection:
        return await connection.scalar(query) or 0


async def once(ledger: PaymentLedger, holds: Callable[[Payment], bool]) -> Payment:
    """Return the payment once a condition holds for it."""

    async def found() -> Payment | None:
        payment = await ledger.find("o")
        return payment if holds(payment) else None

    payment: Payment = await until(found)
    return payment
