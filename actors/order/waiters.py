"""Who waits for an order: senders of commands, until what they asked for is settled."""

import asyncio
from collections.abc import Callable


class Waiters:
    """Those who wait for one order.

    Nobody waits while the order is postponed, because the payment provider is left alone: that may
    last, and whoever has placed an order has it.
    """

    __slots__ = ("_postponed", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._postponed = False

    def __bool__(self) -> bool:
        return bool(self._waiting)

    async def wait(self, command_id: str, seconds: float) -> None:
        """Wait until this command is answered, for at most `seconds`."""
        if self._postponed:
            return
        loop = asyncio.get_running_loop()
        settled: asyncio.Future[None] = loop.create_future()
        self._waiting.append(waiter := (command_id, settled))
        timer = loop.call_later(seconds, _end_wait, settled)
        try:
            await settled
        finally:  # also where the sender gave up: a waiter keeps its order in memory
            timer.cancel()
            self._waiting.remove(waiter)

    def wake(self, is_answered: Callable[[str], bool]) -> None:
        """Wake those whose commands are answered."""
        for command_id, settled in self._waiting:
            if not settled.done() and is_answered(command_id):
                settled.set_result(None)

    def postpone(self) -> None:
        """Wake all: there will be no answer soon."""
        self._postponed = True
        for _, settled in self._waiting:
            _end_wait(settled)

    def expect(self) -> None:
        """Take note that somebody works on the order again."""
        self._postponed = False


def _end_wait(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
