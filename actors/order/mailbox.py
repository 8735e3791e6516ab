"""An order's mailbox: one command at a time, in order of arrival, and whether it is empty."""

import asyncio
import time
from types import TracebackType

from actors.runtime import tracing


class Mailbox(asyncio.Lock):
    """A lock that knows of everybody who is in it or waits for it, also while it changes hands.

    `locked()` does not: it is false from a release until the next one who waits takes his turn.
    """

    def __init__(self, held: dict["Mailbox", float]) -> None:
        """`held` has, of all mailboxes in which somebody is, since when, in monotonic seconds."""
        super().__init__()
        self._held = held
        self._present = 0

    @property
    def occupied(self) -> bool:
        """Whether anybody is in it or waits for it."""
        return self._present > 0

    @property
    def depth(self) -> int:
        """How many are in it or wait for it."""
        return self._present

    async def __aenter__(self) -> None:
        self._present += 1
        try:
            with tracing.span("mailbox"):
                await self.acquire()
        except BaseException:
            self._present -= 1
            raise
        self._held[self] = time.monotonic()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._present -= 1
        self._held.pop(self, None)
        self.release()
