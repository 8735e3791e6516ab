"""The payment service: charges an order once, undoes it for good, whatever comes twice or late.

It never decides about the order and never calls the store. What makes it safe: a key per order and
attempt, a provider whose cancel is final for its key, and a tombstone that commits before a refund
and is checked in the transaction that records an approval.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from actors.contracts.errors import Unavailable
from actors.contracts.messages import ChargeRequest, PaymentReply, RefundRequest
from actors.payment import metrics
from actors.payment.checked_provider import CheckedProvider
from actors.payment.ledger import APPROVED, PENDING, Payment, PaymentLedger, now_micros
from actors.payment.provider import ChargeStatus, PaymentProvider
from actors.runtime.circuit import Circuit

PENDING_AFTER_S = 0.05
"""A charge that takes longer is shown as PENDING; a quicker one costs one commit less."""


def payment_key(order_id: str, attempt: int) -> str:
    """Return the idempotency key under which the provider knows an attempt."""
    return f"{order_id}:{attempt}"


class PaymentService:
    """Answers charge and refund requests. Every request may be repeated; none waits for another.

    `timeout_s`: seconds until a silent provider counts as unavailable. Where `breaker_threshold`
    orders fail and none is answered, the provider is left alone but for as many orders in each
    `breaker_reset_s` seconds. Charges and refunds have a `Circuit` each.
    """

    def __init__(
        self,
        ledger: PaymentLedger,
        provider: PaymentProvider,
        *,
        timeout_s: float,
        breaker_threshold: int,
        breaker_reset_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._provider = CheckedProvider(provider, timeout_s)
        self.charges = Circuit(breaker_threshold, breaker_reset_s, clock)
        self.refunds = Circuit(breaker_threshold, breaker_reset_s, clock)
        self.waits = self._provider.waits
        self._in_flight: dict[str, asyncio.Task[PaymentReply]] = {}

    def reconfigure(
        self, *, timeout_s: float, breaker_threshold: int, breaker_reset_s: float
    ) -> None:
        """Go on with other limits; whoever is asking the provider keeps the old time."""
        self._provider.timeout_s = timeout_s
        for circuit in (self.charges, self.refunds):
            circuit.reconfigure(breaker_threshold, breaker_reset_s)

    async def handle(self, request: Any) -> PaymentReply:
        """Carry out one request.

        Raises `Unavailable` where the outcome is unknown: the same request has to be repeated.
        """
        match request:
            case ChargeRequest():
                return await self.charge(request)
            case RefundRequest():
                return await self.refund(request)
        raise TypeError(f"payment does not know {type(request).__name__}")

    async def charge(self, request: ChargeRequest) -> PaymentReply:
        """Charge once for this order and attempt; on return the outcome is on disk.

        CANCELED means that the order was refunded: nothing is charged, and nothing will be.
        """
        payment = await self._ledger.find(request.order_id)
        status = payment.outcome_of(request.attempt)
        if status is not None:
            return payment.reply(status)
        if payment.refused:
            return await self._undo(payment)
        task = self._authorization(request, payment)
        await asyncio.wait({task}, timeout=PENDING_AFTER_S)
        shown = payment.attempts == request.attempt
        if not shown and not (task.done() and task.exception() is None):
            await self._show_pending(request)
        return await asyncio.shield(task)

    async def refund(self, request: RefundRequest) -> PaymentReply:
        """Undo every charge of the order, and refuse those that may still come.

        The status is CANCELED, or DECLINED where the last attempt had been declined.
        """
        now = now_micros()
        payment = await self._ledger.apply(
            request.order_id, lambda known: known.refuse(request.attempts, now)
        )
        status = payment.outcome_of(request.attempts)
        if status is not None:
            return payment.reply(status)
        # crash here: the order repeats its request and finds the refund unfinished.
        return await self._undo(payment)

    def standing(self) -> dict[str, Any]:
        """Return whether the circuits of charges and refunds are closed or open.

        With the number of orders whose last try failed, where there are any.
        """
        return {
            "circuit": self.charges.state,
            "orders_failing": self.charges.failing or None,
            "refund_circuit": self.refunds.state,
            "refunds_failing": self.refunds.failing or None,
        }

    async def show_circuits(self) -> None:
        """Show how the circuits stand in this process's metrics."""
        metrics.show("charges", self.charges)
        metrics.show("refunds", self.refunds)

    def _authorization(
        self, request: ChargeRequest, payment: Payment
    ) -> asyncio.Task[PaymentReply]:
        """Return the task that authorizes this attempt; a second asker joins the first's."""
        key = payment_key(request.order_id, request.attempt)
        task = self._in_flight.get(key)
        if task is None:
            task = self._in_flight[key] = asyncio.create_task(
                self._authorize(key, request, payment)
            )
            task.add_done_callback(lambda _: self._in_flight.pop(key, None))
        return task

    async def _authorize(self, key: str, request: ChargeRequest, before: Payment) -> PaymentReply:
        with self.charges.asking(request.order_id):
            answer = await self._provider.charge(key, request)
        # crash here: the order repeats its request, and the provider answers with this charge.
        now = now_micros()
        payment = await self._ledger.apply(
            request.order_id, lambda known: known.charged(request, answer, now), before
        )
        status = payment.outcome_of(request.attempt)
        if answer == ChargeStatus.APPROVED and status != APPROVED:
            with self.refunds.asking(request.order_id):
                await self._provider.cancel(key)
        if status is None:
            return await self._undo(payment)
        return payment.reply(status)

    async def _show_pending(self, request: ChargeRequest) -> None:
        now = now_micros()
        with suppress(Unavailable):  # only for the eye: the outcome does not depend on it
            await self._ledger.apply(
                request.order_id, lambda known: known.charged(request, PENDING, now)
            )

    async def _undo(self, payment: Payment) -> PaymentReply:
        """Cancel at the provider whatever may have been charged behind the tombstone."""
        keys = [payment_key(payment.order_id, n + 1) for n in range(payment.attempts)]
        with self.refunds.asking(payment.order_id):
            await asyncio.gather(*(self._provider.cancel(key) for key in keys))
        now = now_micros()
        payment = await self._ledger.apply(
            payment.order_id, lambda known: known.refunded(now), payment
        )
        return payment.reply(payment.status)
