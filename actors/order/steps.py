"""The saga's steps carried out: what is asked of payment and store, and what the answers mean.

Every step may be repeated; payment and store answer a repeat like the first time. So an effect may
run ahead of the journal: the ticket is asked for as soon as payment has its approval on disk, and
both are written down in one commit. After a crash in between, the repeated charge is answered
APPROVED, the repeated ticket is the same one; and where a cancellation comes first, payment tells
that there had been an approval, so that a ticket is undone which the journal never knew.
"""

from collections.abc import Callable
from typing import assert_never

from actors.contracts.errors import Unavailable
from actors.contracts.messages import (
    ChargeRequest,
    PaymentReply,
    RefundRequest,
    TicketCancellation,
    TicketReply,
    TicketRequest,
    TicketUpdate,
)
from actors.contracts.values import PickupStatus, PrivateData
from actors.order.domain import commands as cmd
from actors.order.domain import saga
from actors.order.domain.detail import cancel_reason
from actors.order.domain.order import Order
from actors.runtime.rpc_client import RpcClient

STEP_TIMEOUT_S = 60.0
"""After this the step counts as unknown, and the same question is asked again."""
TICKET_PATIENCE_S = 0.5
"""How long an approval waits for its ticket, to be written down with it; then it goes alone."""

Private = Callable[[], PrivateData]


class Steps:
    """Talks to payment and store for the orders of one host."""

    def __init__(self, payment: RpcClient, store: RpcClient) -> None:
        self._payment = payment
        self._store = store

    async def perform(
        self, step: saga.Step, order: Order, private: Private
    ) -> tuple[cmd.Outcome, ...]:
        """Carry out one step and return its outcomes as commands; none where nothing is new.

        `private` is asked when something of it is sent: the customer may be forgotten meanwhile.
        Raises `Unavailable` where the outcome is unknown: perform it again.
        """
        match step:
            case saga.AuthorizePayment(attempt=attempt):
                return await self._pay(order, attempt, private)
            case saga.OpenTicket():
                return await self._open(order, private, STEP_TIMEOUT_S)
            case saga.UpdateTicket(version=version):
                rejected = order.pickup is PickupStatus.REJECTED
                reason = cancel_reason(order, private()) if rejected else None
                update = TicketUpdate(order.order_id, order.pickup, version, order.erased, reason)
                await self._store.ask(update, STEP_TIMEOUT_S)
                return ()
            case saga.CancelTicket():
                return (await self._cancel_ticket(order),)
            case saga.CancelPayment():
                return await self._refund(order)
        assert_never(step)

    async def _pay(self, order: Order, attempt: int, private: Private) -> tuple[cmd.Outcome, ...]:
        token = private().payment_token or ""
        charge = ChargeRequest(order.order_id, attempt, order.total, order.currency, token)
        reply: PaymentReply = await self._payment.ask(charge, STEP_TIMEOUT_S)
        if reply.payment_id is None:
            return ()
        if reply.status == "DECLINED":
            return (cmd.RecordDecline("", attempt, reply.payment_id),)
        if reply.status != "APPROVED":
            return ()  # refused by a tombstone: the cancellation writes down what became of it
        approval = cmd.RecordApproval("", attempt, reply.payment_id)
        # crash here: payment has the approval, and the store may have a ticket (see above)
        try:
            return (approval, *await self._open(order, private, TICKET_PATIENCE_S))
        except Unavailable:
            return (approval,)

    async def _open(
        self, order: Order, private: Private, timeout: float
    ) -> tuple[cmd.Outcome, ...]:
        request = TicketRequest(order.order_id, order.store_id, order.lines, private().name)
        reply: TicketReply = await self._store.ask(request, timeout)
        if reply.number is not None and reply.estimated_ready_at is not None:
            return (cmd.RecordTicket("", reply.number, reply.estimated_ready_at),)
        if reply.status == "REJECTED":
            return (cmd.RecordTicketRejection("", reply.reason or "rejected"),)
        return ()  # refused by a tombstone, as above

    async def _cancel_ticket(self, order: Order) -> cmd.Outcome:
        request = TicketCancellation(order.order_id, order.store_id)
        await self._store.ask(request, STEP_TIMEOUT_S)
        return cmd.RecordTicketCanceled("")

    async def _refund(self, order: Order) -> tuple[cmd.Outcome, ...]:
        attempts = order.attempts
        request = RefundRequest(order.order_id, attempts)
        reply: PaymentReply = await self._payment.ask(request, STEP_TIMEOUT_S)
        if reply.status == "DECLINED" and reply.payment_id is not None:
            return (cmd.RecordDecline("", attempts, reply.payment_id),)
        refunded = cmd.RecordPaymentCanceled("", reply.payment_id)
        if reply.was_approved and order.pickup is PickupStatus.NONE:
            return (await self._cancel_ticket(order), refunded)
        return (refunded,)
