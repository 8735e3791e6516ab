"""When what did not succeed for an order is tried again: a step, or loading it.

An order whose card fails while others are served waits longer each time, up to two minutes. One
that may fail because the provider is away is tried again within seconds, and as soon as anybody is
served. What is not expected to pass sets the order aside: it is tried once a minute, or on demand.
Nothing of this is stored: after a restart it starts anew.
"""

import asyncio
import math
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable

from actors.contracts.errors import Unavailable, may_pass
from actors.runtime.circuit import (
    CIRCUIT_OPEN,
    PROVIDER_TIMEOUT,
    PROVIDER_UNAVAILABLE,
    PROVIDER_WRONG,
)
from actors.runtime.retrying import log_surprise

FIRST_S = 0.1
LONGEST_S = 120.0
"""Longest pause of an order that fails by itself."""
LONGEST_IN_DOUBT_S = 15.0
IN_DOUBT_S = 120.0
"""Where nobody was served for so long, any order may fail because the provider is away."""
LONGEST_OF_OURS_S = 5.0
"""Where payment or store itself is away, or its disk: that is no order's own fault."""
LONGEST_ASIDE_S = 60.0
"""Longest pause of an order that is set aside, unless there are very many of them."""
ASIDE_PER_SECOND = 50.0
"""All that are set aside share this rate: they take nothing away from their neighbours."""
ASKING_S = 1.0
ASKING_PER_SECOND = 20.0
"""While the circuit is open, orders ask again within `ASKING_S`; many of them share this rate."""
WOKEN_PER_SECOND = 200.0
WOKEN_WITHIN_S = 20.0
"""So many that this rate would take longer are woken faster: all of them within this time."""
SERVED_LATELY_S = 10.0
"""Whoever fails so soon after another was served is not woken by the next who is."""
PROVIDERS = (PROVIDER_UNAVAILABLE, PROVIDER_TIMEOUT, PROVIDER_WRONG)
"""What an order may have to itself, or share with all while the provider is away."""


class StepRetries:
    """Tries what is of one kind, charges, say, again and again, for the orders of a host."""

    def __init__(self) -> None:
        self._paused: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._blameless: set[asyncio.Future[None]] = set()
        self._served_at = -math.inf

    async def until_done(self, order_id: str, ask: Callable[[], Awaitable[bool]]) -> None:
        """Call `ask` until it raises nothing; it tells whether anybody was asked at all."""
        failures = 0
        while True:
            try:
                asked = await ask()
            except Exception as error:  # noqa: BLE001 - told, and asked again
                if not failures:
                    log_surprise(error)
                code = error.code if isinstance(error, Unavailable) else ""
                if code == CIRCUIT_OPEN:
                    await self._pause(order_id, self._until_asking(), blameless=True)
                    continue
                failures += 1
                if not may_pass(error):
                    await self._pause(order_id, self._until_asked_aside(failures), blameless=False)
                elif code in PROVIDERS:
                    served = asyncio.get_running_loop().time() - self._served_at
                    longest = LONGEST_S if served < IN_DOUBT_S else LONGEST_IN_DOUBT_S
                    pause = _grown(failures, longest) * random.uniform(0.5, 1)  # noqa: S311
                    await self._pause(order_id, pause, blameless=served > SERVED_LATELY_S)
                else:
                    pause = _grown(failures, LONGEST_OF_OURS_S) * random.random()  # noqa: S311
                    await self._pause(order_id, pause, blameless=True)
            else:
                if asked:
                    self._served()
                return

    def hurry(self, order_id: str) -> None:
        """End the order's pause, if it has one: its step may not be needed any more."""
        for woken in self._paused.get(order_id, ()):
            _wake(woken)

    def _until_asked_aside(self, failures: int) -> float:
        longest = max(LONGEST_ASIDE_S, len(self._paused) / ASIDE_PER_SECOND)
        return _grown(failures, longest) * random.uniform(0.5, 1)  # noqa: S311 - spreads

    def _until_asking(self) -> float:
        share = len(self._blameless) / ASKING_PER_SECOND
        return max(ASKING_S, share) * random.random()  # noqa: S311 - spreads, hides nothing

    def _served(self) -> None:
        """Somebody was served: wake, a few at a time, those who may have waited for that alone."""
        loop = asyncio.get_running_loop()
        self._served_at = loop.time()
        if self._blameless:
            spread = min(len(self._blameless) / WOKEN_PER_SECOND, WOKEN_WITHIN_S)
            for woken in self._blameless:
                loop.call_later(spread * random.random(), _wake, woken)  # noqa: S311 - as above
            self._blameless.clear()

    async def _pause(self, order_id: str, seconds: float, *, blameless: bool) -> None:
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        self._paused[order_id].add(woken)
        if blameless:
            self._blameless.add(woken)
        timer = loop.call_later(seconds, _wake, woken)
        try:
            await woken
        finally:
            timer.cancel()
            self._blameless.discard(woken)
            self._paused[order_id].discard(woken)
            if not self._paused[order_id]:
                del self._paused[order_id]


def _grown(failures: int, longest: float) -> float:
    return min(longest, FIRST_S * 2.0 ** min(failures, 32))


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
