"""Timers of orders that wait to be paid. Nothing is lost with them: the journal has the times."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime


class Deadlines:
    """Calls `expire(order_id)` when an order's time has come; one timer an order, no task."""

    def __init__(self, expire: Callable[[str], None]) -> None:
        self._expire = expire
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def set(self, order_id: str, at: datetime | None) -> None:
        """Replace the order's deadline; None: it no longer matters."""
        timer = self._timers.pop(order_id, None)
        if timer is not None:
            timer.cancel()
        if at is not None:
            delay = max(0.0, (at - datetime.now(UTC)).total_seconds())
            loop = asyncio.get_running_loop()
            self._timers[order_id] = loop.call_later(delay, self._come, order_id)

    def _come(self, order_id: str) -> None:
        del self._timers[order_id]
        self._expire(order_id)
