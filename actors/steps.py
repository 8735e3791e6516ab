"""The saga's steps carried out: what is asked of payment and store, and what the answers mean.

Every step may be repeated; payment and store answer a repeat like the first time.
"""

from typing import assert_never

from actors.domain import commands as cmd
from actors.domain import saga
from actors.domain.order import Order
from actors.domain.values import PickupStatus, PrivateData
from actors.exchange import Channel
from actors.messages import (
    ChargeRequest,
    PaymentReply,
    RefundRequest,
    TicketCancellation,
    TicketReply,
    TicketRequest,
    TicketUpdate,
)

STEP_TIMEOUT_S = 60.0
"""After this the step counts as unknown, and the same question is asked again."""


class Steps:
    """Talks to payment and store for the orders of one host."""

    def __init__(self, payment: Channel, store: Channel) -> None:
        self._payment = payment
        self._store = store

    async def perform(
        self, step: saga.Step, order: Order, private: PrivateData
    ) -> cmd.Outcome | None:
        """Carry out one step and return its outcome as a command; None where it says nothing new.

        Raises `Unavailable` where the outcome is unknown: perform it again.
        """
        match step:
            case saga.AuthorizePayment(attempt=attempt):
                return await self._authorize(order, attempt, private.payment_token)
            case saga.OpenTicket():
                return await self._open(order, private.name)
            case saga.UpdateTicket(version=version):
                rejected = order.pickup is PickupStatus.REJECTED
                reason = order.cancel_reason if rejected else None
                update = TicketUpdate(order.order_id, order.pickup, version, order.erased, reason)
                await self._store.ask(update, STEP_TIMEOUT_S)
                return None
            case saga.CancelTicket():
                request = TicketCancellation(order.order_id, order.store_id)
                await self._store.ask(request, STEP_TIMEOUT_S)
                return cmd.RecordTicketCanceled("")
            case saga.CancelPayment():
                return await self._refund(order)
        assert_never(step)

    async def _authorize(self, order: Order, attempt: int, token: str | None) -> cmd.Outcome | None:
        charge = ChargeRequest(order.order_id, attempt, order.total, order.currency, token or "")
        reply: PaymentReply = await self._payment.ask(charge, STEP_TIMEOUT_S)
        if reply.status == "APPROVED" and reply.payment_id is not None:
            return cmd.RecordApproval("", attempt, reply.payment_id)
        if reply.status == "DECLINED" and reply.payment_id is not None:
            return cmd.RecordDecline("", attempt, reply.payment_id)
        return None  # refused by a tombstone: the cancellation writes down what became of it

    async def _open(self, order: Order, customer_name: str | None) -> cmd.Outcome | None:
        request = TicketRequest(order.order_id, order.store_id, order.lines, customer_name)
        reply: TicketReply = await self._store.ask(request, STEP_TIMEOUT_S)
        if reply.number is not None and reply.estimated_ready_at is not None:
            return cmd.RecordTicket("", reply.number, reply.estimated_ready_at)
        if reply.status == "REJECTED":
            return cmd.RecordTicketRejection("", reply.reason or "rejected")
        return None  # refused by a tombstone, as above

    async def _refund(self, order: Order) -> cmd.Outcome:
        attempts = len(order.attempts)
        request = RefundRequest(order.order_id, attempts)
        reply: PaymentReply = await self._payment.ask(request, STEP_TIMEOUT_S)
        if reply.status == "DECLINED" and reply.payment_id is not None:
            return cmd.RecordDecline("", attempts, reply.payment_id)
        return cmd.RecordPaymentCanceled("", reply.payment_id)
