"""Recovery as a habit: a host looks again and again for open orders that nobody works on.

One start of one host is not enough: where two systems share a database and one of them ends, its
open orders are finished by the other. Two that work on the same order do it no harm, since all they
do may be repeated, and a loser of an append decides again on what the winner left.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Protocol

from actors.contracts.errors import Unavailable
from actors.order import metrics
from actors.order.journal import Due
from actors.runtime.clock import Clock, utc_now

LOOK_S = 4.0
OVERDUE = timedelta(seconds=5)
"""Whoever works on an order has so long before others believe that nobody does."""
PAGE = 1000
PAGES = 20
"""Most pages in one look; the next one goes on behind them."""
AT_ONCE = 256
"""Most orders taken up in one look."""

logger = logging.getLogger("siren")

Fetch = Callable[[datetime, str, int], Awaitable[list[Due]]]
"""Returns open orders that were due at a moment, beyond an id, in order of id, at most so many."""


class Taker(Protocol):
    """Who carries orders on: a host, or what chooses between hosts."""

    def works_on(self, order_id: str) -> bool:
        """Whether somebody here works on the order at this moment."""

    async def recover(self, open_orders: Iterable[Due]) -> None:
        """Take orders up."""


class OverdueOrders:
    """Finds the overdue among a host's open orders, and hands them over."""

    def __init__(
        self,
        fetch: Fetch,
        taker: Taker,
        clock: Clock = utc_now,
    ) -> None:
        self._fetch = fetch
        self._taker = taker
        self._clock = clock
        self._behind = ""
        self._seen = 0

    async def look(self) -> int:
        """Take up what is overdue and left alone, some of it; return how many orders that were.

        Raises `Unavailable` where the journal cannot be read.
        """
        found: list[Due] = []
        by = self._clock() - OVERDUE
        for _ in range(PAGES):
            page = await self._fetch(by, self._behind, PAGE)
            for due in page:
                self._behind = due.order_id
                self._seen += 1
                if not self._taker.works_on(due.order_id):
                    found.append(due)
                    if len(found) == AT_ONCE:
                        break
            else:
                if len(page) == PAGE:
                    continue
                self._behind = ""  # seen all: the next look begins at the oldest
                metrics.OVERDUE.set(self._seen)  # known for nothing: all was read anyway
                self._seen = 0
            break
        if found:
            logger.info("%d overdue orders are taken up", len(found))
            await self._taker.recover(found)
        return len(found)

    async def look_for_ever(self) -> None:
        """Look every few seconds, not in step with other hosts."""
        while True:
            await asyncio.sleep(LOOK_S * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
            try:
                await self.look()
            except Unavailable as error:
                logger.warning("overdue orders cannot be looked for: %s", error)
            except Exception:
                logger.exception("overdue orders cannot be looked for")
