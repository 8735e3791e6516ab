"""Whether orders can be placed, for however many ask."""

import asyncio
from collections.abc import Awaitable, Callable

FRESH_S = 1.0
"""How long an outcome is told again. Each look commits to the journal, as each order does."""


class Readiness:
    """Remembers what was missing; everybody who asks while it is looked up shares that look."""

    def __init__(self, look: Callable[[], Awaitable[list[str]]]) -> None:
        self._look = look
        self._looking: asyncio.Task[list[str]] | None = None
        self._until = 0.0

    async def missing(self) -> list[str]:
        """Return what orders need and is not there, as of a second ago at most."""
        looking = self._looking
        if looking is None or (looking.done() and asyncio.get_running_loop().time() >= self._until):
            looking = self._looking = asyncio.create_task(self._look_once())
        return await asyncio.shield(looking)  # whoever gives up leaves it to the others

    async def _look_once(self) -> list[str]:
        try:
            return await self._look()
        finally:
            self._until = asyncio.get_running_loop().time() + FRESH_S
