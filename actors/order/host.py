"""Orders as virtual actors: each has an identity, a mailbox, private state and a life.

An order is activated by its first command and passivated when it is idle or finished. Commands run
one at a time, in arrival order; the saga's steps run outside the mailbox, so that a cancel can
arrive while a payment is under way, and their outcomes come back as commands.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from actors.contracts.errors import (
    AlreadyPlaced,
    Conflict,
    Damaged,
    Invalid,
    Rejected,
    Unavailable,
)
from actors.contracts.messages import OrderReply, OrderRequest
from actors.contracts.values import OrderStatus
from actors.order.activation import Activation
from actors.order.command_codec import unpack_command
from actors.order.deadlines import Deadlines
from actors.order.domain import commands as cmd
from actors.order.domain import events as ev
from actors.order.domain.decisions import decide
from actors.order.domain.detail import detail
from actors.order.domain.order import Order, evolve
from actors.order.domain.private import private_after
from actors.order.domain.saga import Step, UpdateTicket, due_at
from actors.order.journal import Due, History, Journal
from actors.order.journal_appends import Append
from actors.order.step_runner import StepRunner
from actors.order.steps import Steps
from actors.runtime.clock import Clock, utc_now
from actors.runtime.retrying import until_done
from actors.runtime.wire import to_json

RECOVERY_BATCH = 256

logger = logging.getLogger("siren")


class OrderHost:
    """Hosts any number of orders in one process.

    Everything it knows is in the journal: it may be killed at any moment, and a second host of the
    same orders (a zombie, a rolling upgrade) loses its appends and decides again on the new state.
    """

    def __init__(
        self,
        journal: Journal,
        steps: Steps,
        committed: Callable[[], None],
        passivate_after_s: float,
        clock: Clock = utc_now,
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._steps = steps
        self._committed = committed
        self._passivate_after_s = passivate_after_s
        self._live: dict[str, Activation] = {}
        self._deadlines = Deadlines(self._expire, clock)
        self._runner = StepRunner()
        self._tasks: set[asyncio.Task[object]] = set()
        self._waking: set[str] = set()

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, order_id: object) -> bool:
        return order_id in self._live

    @property
    def busy(self) -> bool:
        """Whether any of its orders has work outstanding."""
        return any(activation.busy for activation in self._live.values())

    def works_on(self, order_id: str) -> bool:
        """Whether somebody works on the order at this moment, or waits for it."""
        activation = self._live.get(order_id)
        return order_id in self._waking or (activation is not None and activation.busy)

    async def handle(self, request: OrderRequest) -> OrderReply:
        """Carry out a command; answer when it is settled or after `request.wait` seconds.

        Raises what `decide` raises, `AlreadyPlaced` where the command would place a second order,
        and `Unavailable` where the journal cannot be reached.
        """
        command = unpack_command(request.command)
        activation = self._activate(request.order_id)
        replayed = not await self._execute(activation, command)
        if request.wait > 0:
            await self._wait(activation, command.id, request.wait)
        return _reply(activation, command.id, replayed=replayed)

    async def recover(self, open_orders: Iterable[Due]) -> None:
        """Take up open orders; those that only wait get a timer, not memory."""
        now = self._clock()
        due_now = []
        for due in open_orders:
            if due.due_at <= now:
                due_now.append(due.order_id)
            else:
                self.set_deadline(due.order_id, due.due_at)
        for start in range(0, len(due_now), RECOVERY_BATCH):
            chunk = due_now[start : start + RECOVERY_BATCH]
            await until_done(partial(self._take_up_or_wake, chunk))

    async def take_up(self, order_ids: Sequence[str]) -> None:
        """Load orders, and take up the steps that are outstanding, some of them at a time."""
        histories = await self._journal.load_all(order_ids)
        for order_id, history in zip(order_ids, histories, strict=True):
            activation = self._activate(order_id)
            if activation.mailbox.occupied:  # a command was faster, and may still fail
                self._wake_soon(order_id)
            elif not activation.loaded or not (activation.busy or activation.is_ahead_of(history)):
                # In memory and idle: another system has carried it on since, and then ended.
                self._restore(activation, history, recovered=True)

    def set_deadline(self, order_id: str, at: datetime | None) -> None:
        """Cancel the order at `at` unless it is paid by then; None: it no longer matters."""
        self._deadlines.set(order_id, at)

    def passivate_idle(self) -> None:
        """Forget the orders that nobody works on; the journal has them."""
        horizon = asyncio.get_running_loop().time() - self._passivate_after_s
        for activation in list(self._live.values()):
            if activation.touched <= horizon:
                self._passivate(activation)

    # --- activation ---------------------------------------------------------------------------

    def _activate(self, order_id: str) -> Activation:
        activation = self._live.get(order_id)
        if activation is None:
            activation = self._live[order_id] = Activation(order_id)
        activation.touched = asyncio.get_running_loop().time()
        return activation

    def _passivate(self, activation: Activation) -> None:
        if not activation.busy:
            self._live.pop(activation.order_id, None)

    async def _load(self, activation: Activation) -> None:
        self._restore(activation, await self._journal.load(activation.order_id))

    def _restore(
        self, activation: Activation, history: History, *, recovered: bool = False
    ) -> None:
        activation.restore(history)
        if activation.order is not None:
            self._follow_up(activation, recovered=recovered)

    async def _take_up_or_wake(self, order_ids: Sequence[str]) -> None:
        try:
            await self.take_up(order_ids)
        except Exception as error:  # one that cannot be read must not keep the others from theirs
            if isinstance(error, Unavailable) and not isinstance(error, Damaged):
                raise
            logger.exception("orders cannot be taken up together; each is tried alone")
            for order_id in order_ids:
                self._wake_soon(order_id)

    def _wake_soon(self, order_id: str) -> None:
        """See to it that somebody looks after an order, whatever becomes of its commands."""
        if order_id not in self._waking:
            self._waking.add(order_id)
            self._spawn(self._wake_until_done(order_id))

    async def _wake_until_done(self, order_id: str) -> None:
        try:
            await until_done(partial(self._wake, order_id))
        finally:
            self._waking.discard(order_id)

    async def _wake(self, order_id: str) -> None:
        activation = self._activate(order_id)
        async with activation.mailbox:
            if not activation.loaded:
                await self._load(activation)
        if activation.order is None:
            self._passivate(activation)

    # --- commands -----------------------------------------------------------------------------

    async def _execute(self, activation: Activation, command: cmd.Command) -> bool:
        """Run a command in the order's mailbox; return whether it caused any event."""
        try:
            async with activation.mailbox:
                remembered = activation.loaded
                # A new order is not looked up first: its append finds out if there is one already.
                if not remembered and not isinstance(command, cmd.PlaceOrder):
                    await self._load(activation)
                try:
                    return await self._decide_and_append(activation, (command,))
                except (Rejected, Invalid):
                    if not remembered and not isinstance(command, cmd.PlaceOrder):
                        raise
                    # A "no" from memory might come from a state that another incarnation left.
                    await self._load(activation)
                    if activation.order is None:
                        await self._refer(activation.order_id)
                    return await self._decide_and_append(activation, (command,))
        finally:
            if activation.order is None:  # the last who asked for it lets it go
                self._passivate(activation)

    async def _refer(self, order_id: str) -> None:
        """Raise `AlreadyPlaced` where the key of a refused order has placed one: it is a repeat."""
        placed = await self._journal.placed_as(order_id)
        if placed is not None:
            raise AlreadyPlaced(placed)

    async def _record(self, activation: Activation, outcomes: tuple[cmd.Outcome, ...]) -> None:
        """Write down what a step found, in one turn of the mailbox and one commit."""
        async with activation.mailbox:
            if not activation.loaded:
                await self._load(activation)
            await self._decide_and_append(activation, outcomes)

    async def _decide_and_append(
        self, activation: Activation, commands: tuple[cmd.Command, ...]
    ) -> bool:
        while True:
            evolved = order = activation.order
            at = self._moment(order, commands[0])
            stored: list[ev.StoredEvent] = []
            for command in commands:
                for event in decide(evolved, command, at):
                    version = 1 if evolved is None else evolved.version + 1
                    stored.append(
                        ev.StoredEvent(activation.order_id, version, event, at, command.id)
                    )
                    evolved = evolve(evolved, stored[-1])
            if evolved is None or not stored:
                return False
            try:
                await self._append(activation, commands[0], tuple(stored), evolved)
            except Conflict:  # another incarnation was first: decide again on what it left
                await self._load(activation)
            else:
                return True

    def _moment(self, order: Order | None, command: cmd.Command) -> datetime:
        """Return when a command happens: never before the order's last event.

        A deadline that has come is past, even where the clock was set back meanwhile.
        """
        now = self._clock()
        if order is None:
            return now
        if isinstance(command, cmd.ExpirePayment):
            return max(now, order.last_at, order.payment_due)
        return max(now, order.last_at)

    async def _append(
        self,
        activation: Activation,
        command: cmd.Command,
        stored: tuple[ev.StoredEvent, ...],
        evolved: Order,
    ) -> None:
        acknowledged = activation.ticket_acknowledged
        private = private_after(activation.private, command, stored, evolved)
        placing = command.private if isinstance(command, cmd.PlaceOrder) else None
        new_token = private.payment_token or ""
        token_moved = placing is None and new_token != (activation.private.payment_token or "")
        reason_given = private.cancel_reason != activation.private.cancel_reason
        unconfirmed = evolved.ticket_version > acknowledged
        append = Append(
            order_id=evolved.order_id,
            expected_version=evolved.version - len(stored),
            events=stored,
            due_at=due_at(evolved, acknowledged),
            ticket_version=evolved.ticket_version if unconfirmed else None,
            private=placing,
            token=new_token if token_moved else None,
            cancel_reason=private.cancel_reason if reason_given else None,
            erase=isinstance(command, cmd.EraseCustomer),
        )
        try:
            await self._journal.append(append)
        except Unavailable:
            activation.loaded = False  # stored or not: only the journal knows
            self._wake_soon(activation.order_id)
            raise
        # crash here: the events are durable; recovery derives the same next steps from them
        activation.order, activation.private, activation.loaded = evolved, private, True
        self._committed()
        self._follow_up(activation)

    def _follow_up(self, activation: Activation, *, recovered: bool = False) -> None:
        """After any change: wake those who wait, keep the deadline, start what comes next."""
        activation.wake()
        order = activation.order
        assert order is not None
        if order.status is OrderStatus.PLACED:
            patience = order.payment_due - order.placed_at
            self._deadlines.set(order.order_id, order.payment_due, patience)
        else:
            self._deadlines.set(order.order_id, None)
        if order.status is OrderStatus.CANCELING:
            self._runner.reconsider(order.order_id)
        for step in activation.outstanding():
            if step not in activation.running:
                activation.running.add(step)
                self._spawn(self._run_step(activation, step, recovered=recovered))

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wait(self, activation: Activation, command_id: str, seconds: float) -> None:
        if activation.has_answered(command_id):
            return
        loop = asyncio.get_running_loop()
        settled: asyncio.Future[None] = loop.create_future()
        waiter = (command_id, settled)
        activation.waiters.append(waiter)
        timer = loop.call_later(seconds, _let_go, settled)
        try:
            await settled
        finally:  # also where the sender gave up: a waiter keeps its order in memory
            timer.cancel()
            activation.waiters.remove(waiter)

    # --- steps and deadlines ------------------------------------------------------------------

    async def _run_step(self, activation: Activation, step: Step, *, recovered: bool) -> None:
        attempt = partial(self._try_step, activation, step)
        try:
            await self._runner.run(activation.order_id, step, attempt, recovered=recovered)
        finally:
            activation.running.discard(step)
            if activation.order is not None and activation.order.finished:
                self._passivate(activation)

    async def _try_step(self, activation: Activation, step: Step) -> bool:
        """Carry out a step and write down its outcome; return False where it is done already."""
        order = activation.order
        if order is None or step not in activation.outstanding():
            return False
        outcomes = await self._steps.perform(step, order, lambda: activation.private)
        # crash here: the participant did it and nobody wrote it down; the repeat finds it done
        if isinstance(step, UpdateTicket):
            await self._acknowledge(activation, step.version)
        elif outcomes:
            await self._record(activation, outcomes)
        return True

    async def _acknowledge(self, activation: Activation, ticket_version: int) -> None:
        async with activation.mailbox:
            order = activation.order
            if order is None or order.ticket_version > ticket_version:
                return  # the ticket moved on meanwhile; that update's own answer counts
            due = due_at(order, ticket_version)
            try:
                await self._journal.append(Append(order.order_id, order.version, (), due))
            except Conflict:
                await self._load(activation)
                return
            activation.ticket_acknowledged = ticket_version
            self._follow_up(activation)

    def _expire(self, order_id: str) -> None:
        self._spawn(until_done(lambda: self._cancel_unpaid(order_id)))

    async def _cancel_unpaid(self, order_id: str) -> None:
        activation = self._activate(order_id)
        if not await self._execute(activation, cmd.ExpirePayment("")):
            self._follow_up(activation)


def _let_go(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _reply(activation: Activation, command_id: str, *, replayed: bool) -> OrderReply:
    order = activation.order
    assert order is not None
    return OrderReply(
        detail=to_json(detail(order, activation.private)),
        version=order.version,
        order_status=order.status,
        settled=activation.has_answered(command_id),
        replayed=replayed,
        attempt=order.attempt_status(command_id),
    )
