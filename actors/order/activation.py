"""An order in memory: its state, its mailbox, and who waits for it."""

import asyncio

from actors.contracts.values import PaymentStatus, PrivateData
from actors.order.domain.commands import parts_of
from actors.order.domain.order import Order, fold
from actors.order.domain.saga import Step, is_settled, next_steps
from actors.order.journal import History
from actors.order.mailbox import Mailbox


class Activation:
    """An order in memory. No task runs for it while it is idle."""

    __slots__ = (
        "loaded",
        "mailbox",
        "order",
        "order_id",
        "private",
        "running",
        "ticket_acknowledged",
        "touched",
        "waiters",
    )

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        self.order: Order | None = None
        self.private = PrivateData()
        self.ticket_acknowledged = 0
        self.loaded = False
        self.mailbox = Mailbox()
        self.running: set[Step] = set()
        self.waiters: list[tuple[str, asyncio.Future[None]]] = []
        self.touched = 0.0

    @property
    def busy(self) -> bool:
        """Whether anybody works on it or waits for it."""
        return bool(self.mailbox.occupied or self.running or self.waiters)

    def outstanding(self) -> tuple[Step, ...]:
        """Return the steps that the saga needs next."""
        return next_steps(self.order, self.ticket_acknowledged) if self.order else ()

    def wake(self) -> None:
        """Let go those whose command is settled now."""
        for command_id, settled in self.waiters:
            if not settled.done() and self.has_answered(command_id):
                settled.set_result(None)

    def has_answered(self, command_id: str) -> bool:
        """Whether nothing is outstanding that the sender of this command waits for."""
        order = self.order
        if order is None:
            return False
        attempt = order.attempt_status(command_id)
        if attempt is not None and order.placing_key != parts_of(command_id)[0]:
            return attempt != PaymentStatus.PENDING
        return is_settled(order) and not self.outstanding()

    def is_ahead_of(self, history: History) -> bool:
        """Whether the order has moved on since its history was read."""
        return self.order is not None and self.order.version > len(history.events)

    def restore(self, history: History) -> None:
        """Take the state that the journal has."""
        self.order = order = fold(history.events)
        self.private = history.private
        self.loaded = order is not None  # that there is none is not remembered: it may be placed
        if order is not None:
            unconfirmed = history.ticket_version is not None
            self.ticket_acknowledged = 0 if unconfirmed else order.ticket_version
