"""Keep asking until there is an answer."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_random_exponential,
)

from actors.contracts.errors import Unavailable

Answer = TypeVar("Answer")
logger = logging.getLogger("siren")
PATIENCE_S = 3.0
"""How long the start of an actor waits for a database; it goes on without one that is away."""


def log_surprise(error: BaseException | None) -> None:
    """Log an error that a repeat is not expected to mend: a fault of ours; some a minute."""
    if not isinstance(error, Unavailable) and _SURPRISES.may_be_told():
        logger.error("unexpected failure; it is retried", exc_info=error)


class _Surprises:
    """Lets `TRACES` a minute be told: what fails for one order may fail for 100,000."""

    def __init__(self) -> None:
        self._minute, self._told = 0, 0

    def may_be_told(self) -> bool:
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._told = minute, 0
        self._told += 1
        return self._told <= TRACES


TRACES = 30
_SURPRISES = _Surprises()


def _before_sleep(state: RetryCallState) -> None:
    log_surprise(state.outcome.exception() if state.outcome else None)


_RETRYING = AsyncRetrying(
    retry=retry_if_exception_type(Exception),
    wait=wait_random_exponential(multiplier=0.1, max=5),
    before_sleep=_before_sleep,
)


async def until_done(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask until it succeeds, with backoff and jitter; `ask` must be idempotent."""
    try:
        return await ask()  # tenacity's bookkeeping was 30 % of an order's CPU: failures pay it
    except Exception as error:  # noqa: BLE001 - told, and asked again
        log_surprise(error)

    async def again() -> Answer:  # tenacity only awaits what it can see to be asynchronous
        return await ask()

    return await _RETRYING.copy()(again)


async def begun(
    ask: Callable[[], Awaitable[None]], patience_s: float = PATIENCE_S
) -> "asyncio.Task[None]":
    """Ask until it succeeds, and return after `patience_s` at the latest; the task goes on.

    So an actor whose database is away is there, and says so, instead of dying again and again.
    """
    task = asyncio.create_task(until_done(ask))
    await asyncio.wait((task,), timeout=patience_s)
    return task
