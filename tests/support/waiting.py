"""Waiting for what tells nobody."""

import asyncio
from collections.abc import Callable
from inspect import isawaitable
from typing import Any


async def until(condition: Callable[[], Any], within: float = 30.0) -> Any:
    """Return the first truthy answer of `condition`, which may be one to await.

    It is asked again and again in the test's own loop; `eventually` is for a whole system. Raises
    `TimeoutError` after `within` seconds.
    """
    async with asyncio.timeout(within):
        while True:
            answer = condition()
            if isawaitable(answer):
                answer = await answer
            if answer:
                return answer
            await asyncio.sleep(0.005)
