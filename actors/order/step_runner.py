"""How the saga's steps are tried until they are done: how many at a time, and when again.

Charges, refunds and the store's steps each have their own ways: where one of them is not served,
the others go on.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import get_args

from actors.contracts.errors import SirenError
from actors.order.domain.saga import AuthorizePayment, CancelPayment, Step, work_of
from actors.order.failures import Failures
from actors.order.metrics import STEP_DURATION, STEP_RETRIES
from actors.order.step_retries import StepRetries
from actors.runtime import tracing
from actors.runtime.logs import ORDER_ID

RECOVERING = 256
"""Steps of recovered orders of each kind that are begun at a time. The rest wait, so that new
orders need not wait for them."""
TURN_S = 1.0
"""Whoever is not answered within this is waiting, not working: the next one may begin."""


class StepRunner:
    """Runs the steps of one host's orders."""

    def __init__(self, failures: Failures) -> None:
        self._failures = failures
        self._charges, self._refunds, self._tickets = (StepRetries() for _ in range(3))
        self._charge_turns, self._refund_turns, self._store_turns = (_Turns() for _ in range(3))

    async def run(
        self,
        order_id: str,
        step: Step,
        attempt: Callable[[], Awaitable[bool]],
        *,
        recovered: bool,
    ) -> None:
        """Call `attempt` until it raises nothing; it tells whether payment or store was asked.

        What is `recovered` waits for a turn first, each time.
        """
        ORDER_ID.set(order_id)  # of the step's own task
        turns, retries = self._ways(step)
        name = type(step).__name__

        async def tried() -> bool:
            began = time.perf_counter()
            try:
                with tracing.span(f"step {name}", order_id):
                    asked = await attempt()
            except Exception as error:
                code = error.code if isinstance(error, SirenError) else "unexpected"
                STEP_RETRIES.labels(name, code).inc()
                self._failures.note(order_id, work_of(step), error)
                raise
            finally:
                _durations[name].observe(time.perf_counter() - began)
            if self._failures.any_of(order_id):
                self._failures.ended(order_id, work_of(step))
            return asked

        async def tried_in_turn() -> bool:
            async with turns.turn():  # not while it waits to be tried again
                return await tried()

        await retries.until_done(order_id, tried_in_turn if recovered else tried)

    def reconsider(self, order_id: str) -> None:
        """Look at once whether the steps that an order waits to try again are needed still."""
        for retries in (self._charges, self._refunds, self._tickets):
            retries.hurry(order_id)

    def _ways(self, step: Step) -> tuple["_Turns", StepRetries]:
        match step:
            case AuthorizePayment():
                return self._charge_turns, self._charges
            case CancelPayment():
                return self._refund_turns, self._refunds
        return self._store_turns, self._tickets


_durations = {kind.__name__: STEP_DURATION.labels(kind.__name__) for kind in get_args(Step)}


class _Turns:
    """Lets `RECOVERING` at a time go on, not counting those who take long."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(RECOVERING)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        await self._free.acquire()
        held = True

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                self._free.release()

        timer = asyncio.get_running_loop().call_later(TURN_S, give_back)
        try:
            yield
        finally:
            timer.cancel()
            give_back()
