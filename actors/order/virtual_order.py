"""One live order: its mailbox, its state, who waits for it, and which of its saga's steps run.

Commands run one at a time, in arrival order. The steps run outside the mailbox, so that a cancel
can arrive while a payment is under way, and their outcomes come back as commands.
"""

from functools import partial
from math import inf
from time import monotonic
from typing import Any

from actors.contracts.errors import AlreadyPlaced, Conflict, Damaged, Invalid, Rejected, Unavailable
from actors.contracts.messages import OrderReply
from actors.contracts.values import OrderStatus, PaymentStatus, PrivateData
from actors.order.command_outcome import append_of, carry_out
from actors.order.domain import commands as cmd
from actors.order.domain import events as ev
from actors.order.domain.detail import detail
from actors.order.domain.failure import LOAD
from actors.order.domain.order import Order, fold
from actors.order.domain.private import private_after
from actors.order.domain.saga import Step, UpdateTicket, due_at, is_settled, next_steps
from actors.order.domain.story import waits_of
from actors.order.histories import History
from actors.order.journal_appends import Append
from actors.order.mailbox import Mailbox
from actors.order.surroundings import Surroundings
from actors.order.waiters import Waiters
from actors.runtime.circuit import CIRCUIT_OPEN
from actors.runtime.message_codec import to_json
from actors.runtime.rpc_link import STANDSTILL_S

Commands = tuple[cmd.Command, ...]


class VirtualOrder:
    """An order in memory. No task runs for it while it is idle.

    `order` is None until it was loaded or placed. `touched`: when it was last asked for, in
    seconds of the event loop's clock.
    """

    __slots__ = (
        "_around",
        "_loaded",
        "_private",
        "_running",
        "_seal",
        "_ticket_acknowledged",
        "_waiters",
        "mailbox",
        "order",
        "order_id",
        "touched",
    )

    def __init__(self, order_id: str, around: Surroundings) -> None:
        self.order_id = order_id
        self.order: Order | None = None
        self.mailbox = Mailbox(around.held)
        self.touched = 0.0
        self._around = around
        self._private = PrivateData()
        self._ticket_acknowledged = 0
        self._loaded, self._seal = False, 0
        self._running: set[Step] = set()
        self._waiters = Waiters()

    @property
    def busy(self) -> bool:
        """Whether anybody works on it or waits for it."""
        return bool(self.mailbox.occupied or self._running or self._waiters)

    # --- commands -----------------------------------------------------------------------------

    async def execute(self, command: cmd.Command) -> bool:
        """Run a command in the mailbox; return whether it caused any event.

        Raises what `decide` raises, `AlreadyPlaced` where the command would place a second order,
        and `Unavailable` where the journal cannot be reached, or its turn comes too late.
        """
        until = monotonic() + STANDSTILL_S
        try:
            async with self.mailbox:
                remembered = self._loaded
                # A new order is not looked up first: its append finds out if there is one already.
                if not remembered and not isinstance(command, cmd.PlaceOrder):
                    await self._load()
                try:
                    return await self._decide_and_append((command,), until)
                except (Rejected, Invalid):
                    if not remembered and not isinstance(command, cmd.PlaceOrder):
                        raise
                    # A "no" from memory might come from a state that another incarnation left.
                    await self._load()
                    if self.order is None:
                        await self._refer()
                    return await self._decide_and_append((command,), until)
        finally:
            if self.order is None:  # the last who asked for it lets it go
                self._around.let_go(self)

    async def expire(self) -> None:
        """Cancel it unless it is paid; keep its deadline where that has not come yet."""
        if not await self.execute(cmd.ExpirePayment("")):
            self._follow_up()

    async def wait_until_settled(self, command_id: str, seconds: float) -> None:
        """Wait until nothing is outstanding that the sender of this command waits for.

        No longer than `seconds`, and not while the payment provider is left alone: that may last.
        """
        if not self._has_answered(command_id):
            await self._waiters.wait(command_id, seconds)

    def reply(self, command_id: str, *, replayed: bool) -> OrderReply:
        """Return what the sender of a command is told; there must be an order."""
        order = self.order
        assert order is not None
        return OrderReply(
            detail=to_json(detail(order, self._private)),
            version=order.version,
            order_status=order.status,
            settled=self._has_answered(command_id),
            replayed=replayed,
            attempt=order.attempt_status(command_id),
        )

    def standing(self) -> dict[str, Any]:
        """Return what operators are told of it, as plain values."""
        around, order = self._around, self.order
        failures = around.failures.of(self.order_id)
        confirmed = order is None or self._ticket_acknowledged >= order.ticket_version
        waits = waits_of(order, failures, around.clock(), confirmed=confirmed)
        return {
            "order_id": self.order_id,
            "order_status": None if order is None else str(order.status),
            "store_id": None if order is None else order.store_id,
            "version": 0 if order is None else order.version,
            "since": None if order is None else order.last_at,
            "busy": self.busy,
            "waits": waits,
        }

    def _has_answered(self, command_id: str) -> bool:
        order = self.order
        if order is None:
            return False
        attempt = order.attempt_status(command_id)
        if attempt is not None and order.placing_key != cmd.parts_of(command_id)[0]:
            return attempt != PaymentStatus.PENDING
        return is_settled(order) and not self._outstanding()

    # --- state --------------------------------------------------------------------------------

    async def ensure_loaded(self) -> None:
        """Load it unless it is in memory, and take up its steps."""
        async with self.mailbox:
            if not self._loaded:
                await self._load()
        if self.order is None:
            self._around.let_go(self)

    def take_up(self, history: History) -> None:
        """Take the state that the journal had, and take up its steps, among others' that wait.

        Not where somebody works on it already, or it has moved on since; the mailbox must be empty.
        """
        ahead = self.order is not None and self.order.version > len(history.events)
        if not self._loaded or not (self.busy or ahead):
            # In memory and idle: another system has carried it on since, and then ended.
            self._restore(history, recovered=True)

    async def _load(self) -> None:
        failures = self._around.failures
        try:
            self._restore(await self._around.journal.load(self.order_id))
        except Damaged as error:
            failures.note(self.order_id, LOAD, error)
            raise
        failures.ended(self.order_id, LOAD)

    def _restore(self, history: History, *, recovered: bool = False) -> None:
        with self._around.journal.database.faults.foldable:
            order = fold(history.events)
        self.order = order
        self._private, self._seal = history.private, history.seal
        self._loaded = order is not None  # that there is none is not remembered: it may be placed
        if order is not None:
            unconfirmed = history.ticket_version is not None
            self._ticket_acknowledged = 0 if unconfirmed else order.ticket_version
            self._follow_up(recovered=recovered)

    async def _refer(self) -> None:
        """Raise `AlreadyPlaced` where the key of a refused order has placed one: it is a repeat."""
        placed = await self._around.journal.placed_as(self.order_id)
        if placed is not None:
            raise AlreadyPlaced(placed)

    async def _decide_and_append(self, commands: Commands, until: float = inf) -> bool:
        while True:
            if monotonic() > until:  # its sender may have been refused it by our successor
                raise Unavailable("too_late", "The order was not free in time; ask again.")
            stored, evolved = carry_out(self.order_id, self.order, commands, self._around.clock())
            if evolved is None or not stored:
                return False
            try:
                await self._append(commands[0], stored, evolved)
            except Conflict:  # another incarnation was first: decide again on what it left
                await self._load()
            else:
                return True

    async def _append(
        self, command: cmd.Command, stored: tuple[ev.StoredEvent, ...], evolved: Order
    ) -> None:
        before, acknowledged = self._private, self._ticket_acknowledged
        private = private_after(before, command, stored, evolved)
        append = append_of(command, stored, evolved, before, private, acknowledged, self._seal)
        try:
            self._seal = await self._around.journal.append(append)
        except Unavailable:
            self._loaded = False  # stored or not: only the journal knows
            self._around.wake_soon(self.order_id)
            raise
        # crash here: the events are durable; recovery derives the same next steps from them
        self.order, self._private, self._loaded = evolved, private, True
        self._around.committed(evolved)
        self._follow_up()

    def _follow_up(self, *, recovered: bool = False) -> None:
        """After any change: wake those who wait, keep the deadline, start what comes next."""
        self._waiters.wake(self._has_answered)
        order, around = self.order, self._around
        assert order is not None
        if order.status is OrderStatus.PLACED:
            patience = order.payment_due - order.placed_at
            around.deadlines.set(order.order_id, order.payment_due, patience)
        else:
            around.deadlines.set(order.order_id, None)
        if order.status is OrderStatus.CANCELING:
            around.runner.reconsider(order.order_id)
        for step in self._outstanding():
            if step not in self._running:
                self._running.add(step)
                around.spawn(self._run_step(step, recovered=recovered))

    # --- steps --------------------------------------------------------------------------------

    def _outstanding(self) -> tuple[Step, ...]:
        return next_steps(self.order, self._ticket_acknowledged) if self.order else ()

    async def _run_step(self, step: Step, *, recovered: bool) -> None:
        attempt = partial(self._try_step, step)
        try:
            await self._around.runner.run(self.order_id, step, attempt, recovered=recovered)
        finally:
            self._running.discard(step)
            if self.order is not None and self.order.finished:
                self._around.let_go(self)

    async def _try_step(self, step: Step) -> bool:
        """Carry out a step and write down its outcome; return False where it is done already."""
        order = self.order
        if order is None or step not in self._outstanding():
            return False
        try:
            outcomes = await self._around.steps.perform(step, order, lambda: self._private)
        except Unavailable as error:
            if error.code == CIRCUIT_OPEN:
                self._waiters.postpone()
            raise
        self._waiters.expect()
        # crash here: the participant did it and nobody wrote it down; the repeat finds it done
        if isinstance(step, UpdateTicket):
            await self._acknowledge(step.version)
        elif outcomes:
            await self._record(outcomes)
        return True

    async def _record(self, outcomes: tuple[cmd.Outcome, ...]) -> None:
        """Write down what a step found, in one turn of the mailbox and one commit."""
        async with self.mailbox:
            if not self._loaded:
                await self._load()
            await self._decide_and_append(outcomes)

    async def _acknowledge(self, ticket_version: int) -> None:
        async with self.mailbox:
            order = self.order
            if order is None or order.ticket_version > ticket_version:
                return  # the ticket moved on meanwhile; that update's own answer counts
            due = due_at(order, ticket_version)
            try:
                await self._around.journal.append(Append(order.order_id, order.version, (), due))
            except Conflict:
                await self._load()
                return
            self._ticket_acknowledged = ticket_version
            self._follow_up()
