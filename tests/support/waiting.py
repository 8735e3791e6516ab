"""Waiting for what tells nobody."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is awaited knows of no test's event
            await asyncio.sleep(0.001)
