"""The directory of live orders: which are in memory, and who is looked after when.

An order is activated by its first command and passivated when it is idle or finished. After a
start, and where another system ended, open orders are recovered: taken up, or given a deadline.
"""

import asyncio
import heapq
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from actors.contracts.errors import Damaged, UnknownEvent, may_pass
from actors.contracts.messages import OrderReply, OrderRequest
from actors.order.census import take_census
from actors.order.command_codec import unpack_command
from actors.order.deadlines import Deadlines
from actors.order.domain.failure import LOAD
from actors.order.domain.order import Order
from actors.order.failures import Failures
from actors.order.journal import Due, Journal
from actors.order.mailbox import Mailbox
from actors.order.metrics import ACTIVATIONS, PASSIVATIONS
from actors.order.step_retries import StepRetries
from actors.order.step_runner import StepRunner
from actors.order.steps import Steps
from actors.order.surroundings import Surroundings
from actors.order.virtual_order import VirtualOrder
from actors.runtime import tracing
from actors.runtime.clock import Clock, utc_now
from actors.runtime.hanging import trouble_with
from actors.runtime.logs import ORDER_ID
from actors.runtime.retrying import until_done
from actors.runtime.waits import PATIENCE_S

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
        self._committed = committed
        self.passivate_after_s = passivate_after_s
        self._live: dict[str, VirtualOrder] = {}
        self._held: dict[Mailbox, float] = {}
        self._deadlines = Deadlines(self._expire, clock)
        self._tasks: set[asyncio.Task[object]] = set()
        self._waking: set[str] = set()
        self._wakes = StepRetries()
        failures = Failures(journal.failures, clock)
        self._around = Surroundings(
            journal=journal,
            steps=steps,
            runner=StepRunner(failures),
            failures=failures,
            deadlines=self._deadlines,
            clock=clock,
            committed=self._noted,
            spawn=self._spawn,
            wake_soon=self._wake_soon,
            let_go=self._let_go,
            held=self._held,
        )

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, order_id: object) -> bool:
        return order_id in self._live

    @property
    def busy(self) -> bool:
        """Whether any of its orders has work outstanding."""
        return any(order.busy for order in self._live.values())

    def trouble(self) -> str | None:
        """Return what does not go on and should; None where all goes on, or waits for the journal.

        Whoever is in a mailbox loads its order and appends to it, in queues with all others.
        """
        batchers = self._journal.batchers
        trouble = trouble_with(self._journal.database, *batchers)
        if trouble is not None or self._journal.database.waits.are_long:
            return trouble
        seconds = time.monotonic() - min(self._held.values(), default=float("inf"))
        if seconds > PATIENCE_S + 2 * sum(batcher.took_s for batcher in batchers):
            return f"a mailbox has not been left for {seconds:.0f} s"
        return None

    def works_on(self, order_id: str) -> bool:
        """Whether somebody works on the order at this moment, or waits for it."""
        order = self._live.get(order_id)
        return order_id in self._waking or (order is not None and order.busy)

    async def handle(self, request: OrderRequest) -> OrderReply:
        """Carry out a command; answer when it is settled or after `request.wait` seconds.

        Raises what `VirtualOrder.execute` raises.
        """
        command = unpack_command(request.command)
        order = self._activate(request.order_id)
        with tracing.span(f"command {type(command).__name__}", request.order_id):
            replayed = not await order.execute(command)
        if request.wait > 0:
            await order.wait_until_settled(command.id, request.wait)
        return order.reply(command.id, replayed=replayed)

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
        histories = await self._journal.load_each(order_ids)
        for order_id, history in zip(order_ids, histories, strict=True):
            order = self._activate(order_id)
            # A command was faster, and may still fail; or it cannot be read.
            if order.mailbox.occupied or isinstance(history, Exception):
                self._wake_soon(order_id)
                continue
            try:
                order.take_up(history)
            except Damaged:
                self._wake_soon(order_id)

    def live(
        self, store_id: str | None, status: str | None, limit: int
    ) -> tuple[int, list[dict[str, Any]]]:
        """Return how many orders in memory match, and what the last touched `limit` of them do."""
        found = [
            each
            for each in self._live.values()
            if (order := each.order) is None
            or (store_id in (None, order.store_id) and status in (None, order.status))
        ]
        last = heapq.nlargest(limit, found, key=lambda each: each.touched)
        return len(found), [each.standing() for each in last]

    async def retry(self, order_id: str) -> None:
        """Try at once what an order fails at; raises `Damaged` where it cannot be loaded."""
        await self._activate(order_id).ensure_loaded()
        # Of another process's life, which had not said that it could be read again.
        await self._journal.failures.write((), [(order_id, LOAD)], self._clock())
        self._around.runner.reconsider(order_id)
        self._wakes.hurry(order_id)

    def set_deadline(self, order_id: str, at: datetime | None) -> None:
        """Cancel the order at `at` unless it is paid by then; None: it no longer matters."""
        self._deadlines.set(order_id, at)

    def passivate_idle(self) -> None:
        """Forget the orders that nobody works on; the journal has them."""
        horizon = asyncio.get_running_loop().time() - self.passivate_after_s
        for order in list(self._live.values()):
            if order.touched <= horizon:
                self._let_go(order)

    async def take_census(self) -> None:
        """Count the live orders into this process's metrics."""
        await take_census(list(self._live.values()))

    def _activate(self, order_id: str) -> VirtualOrder:
        order = self._live.get(order_id)
        if order is None:
            order = self._live[order_id] = VirtualOrder(order_id, self._around)
            ACTIVATIONS.inc()
        order.touched = asyncio.get_running_loop().time()
        return order

    def _let_go(self, order: VirtualOrder) -> None:
        """Forget an order, unless somebody needs it: there must never be two of it in memory."""
        if not order.busy and self._live.pop(order.order_id, None) is not None:
            PASSIVATIONS.inc()

    async def _take_up_or_wake(self, order_ids: Sequence[str]) -> None:
        try:
            await self.take_up(order_ids)
        except Exception as error:  # one that cannot be read must not keep the others from theirs
            if may_pass(error) and not isinstance(error, UnknownEvent):
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
        ORDER_ID.set(order_id)
        try:
            await self._wakes.until_done(order_id, partial(self._wake, order_id))
        finally:
            self._waking.discard(order_id)

    def _noted(self, order: Order) -> None:
        tracing.hand_on(order.order_id, order.version)
        self._committed()

    async def _wake(self, order_id: str) -> bool:
        await self._activate(order_id).ensure_loaded()
        return False

    def _expire(self, order_id: str) -> None:
        self._spawn(self._wakes.until_done(order_id, partial(self._expire_now, order_id)))

    async def _expire_now(self, order_id: str) -> bool:
        await self._activate(order_id).expire()
        return False

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
