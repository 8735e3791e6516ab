"""A shop whose orders happen as `decide` allows, for tests of what is folded from their events."""

import random
from datetime import UTC, datetime, timedelta

from actors.contracts.errors import Rejected
from actors.contracts.values import Line, PrivateData
from actors.order.domain import commands as cmd
from actors.order.domain.decisions import decide
from actors.order.domain.events import StoredEvent
from actors.order.domain.order import Order, fold
from actors.order.journal import Journal
from actors.order.journal_appends import Append

START = datetime(2025, 3, 1, 9, tzinfo=UTC)
LINES = (Line("americano", "Americano", 2, 4500),)


class Shop:
    """Orders that really happen: whatever `decide` allows is appended to the journal."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.orders: dict[str, Order] = {}
        self._clock = START
        self._commands = 0

    async def place(self, order_id: str, *, pay: bool = True) -> None:
        order = cmd.PlaceOrder(
            id=self._next_id(),
            customer_id=f"c-{len(self.orders) % 3}",
            store_id="gangnam",
            lines=LINES,
            currency="KRW",
            body_hash="0" * 64,
            payment_due=START + timedelta(days=1),
            pay=pay,
            private=PrivateData(f"name of {order_id}", "010-1234-5678", "tok_approve"),
        )
        await self._carry_out(order_id, order)

    async def do(self, order_id: str, command: type, **fields: object) -> None:
        await self._carry_out(order_id, command(id=self._next_id(), **fields))

    async def deliver(self, order_id: str) -> None:
        await self.place(order_id)
        await self.do(order_id, cmd.RecordApproval, attempt=1, payment_id="p-1")
        await self.do(order_id, cmd.RecordTicket, number="A-001", estimated_ready_at=START)
        for step in (cmd.StartPreparation, cmd.MarkReady, cmd.CompletePickup):
            await self.do(order_id, step)

    async def something(self, chance: random.Random) -> None:
        """Place an order, or try something on one."""
        if len(self.orders) < 3 or (len(self.orders) < 12 and chance.random() < 0.2):
            await self.place(f"order-{len(self.orders)}", pay=chance.random() < 0.7)
            return
        try:
            command = _random_command(chance, self._next_id())
            await self._carry_out(chance.choice(list(self.orders)), command)
        except Rejected:
            pass  # the business said no: nothing was appended

    async def _carry_out(self, order_id: str, command: cmd.Command) -> None:
        order = self.orders.get(order_id)
        version = order.version if order else 0
        self._clock += timedelta(seconds=1)
        stored = tuple(
            StoredEvent(order_id, version + i, event, self._clock, command.id)
            for i, event in enumerate(decide(order, command, self._clock), start=1)
        )
        if not stored:
            return
        await self.journal.append(
            Append(
                order_id,
                version,
                stored,
                due_at=None,
                private=command.private if isinstance(command, cmd.PlaceOrder) else None,
                erase=isinstance(command, cmd.EraseCustomer),
            )
        )
        folded = fold(stored, order)
        assert folded is not None
        self.orders[order_id] = folded

    def _next_id(self) -> str:
        self._commands += 1
        return f"command-{self._commands}"


def _random_command(chance: random.Random, command_id: str) -> cmd.Command:
    attempt = chance.randint(1, 3)
    commands: list[cmd.Command] = [
        cmd.PayOrder(command_id, "tok_approve"),
        cmd.RecordApproval(command_id, attempt, f"p-{attempt}"),
        cmd.RecordDecline(command_id, attempt, f"p-{attempt}"),
        cmd.RecordTicket(command_id, "A-001", START),
        cmd.RecordTicketRejection(command_id, "sold_out"),
        cmd.StartPreparation(command_id),
        cmd.MarkReady(command_id),
        cmd.CompletePickup(command_id),
        cmd.CancelOrder(command_id, "changed my mind"),
        cmd.RejectOrder(command_id, "machine broke"),
        cmd.RecordTicketCanceled(command_id),
        cmd.RecordPaymentCanceled(command_id, None),
        cmd.EraseCustomer(command_id),
    ]
    return chance.choice(commands)
