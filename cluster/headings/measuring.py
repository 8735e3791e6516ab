"""Runs headings one after the other; one that fails does not stop those behind it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from actors.contracts.errors import SirenError
from cluster.headings.record import Heading, Outcome, Verdict
from cluster.headings.target import Target


async def measured(
    headings: Sequence[Heading], target: Target
) -> AsyncIterator[tuple[Heading, Outcome]]:
    """Measure headings in their order; each outcome comes as soon as it is known."""
    for heading in headings:
        async for outcome in _outcomes(heading, target):
            yield heading, outcome


async def _outcomes(heading: Heading, target: Target) -> AsyncIterator[Outcome]:
    """Measure one heading; its last outcome says so where it fails, or takes too long."""
    deadline = asyncio.get_running_loop().time() + heading.limit_s
    async with aclosing(heading.measure(target)) as outcomes:  # type: ignore[type-var]
        while True:
            try:
                # Around each step alone: a time limit must not be left open while others work.
                async with asyncio.timeout_at(deadline) as limit:
                    outcome = await anext(outcomes)
            except StopAsyncIteration:
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, the others are still measured
                yield _failed(_told(error, heading, late=limit.expired()))
                return
            yield outcome


def _told(error: Exception, heading: Heading, *, late: bool) -> str:
    if late:
        return f"not done within {heading.limit_s:.0f} s"
    return error.detail if isinstance(error, SirenError) else repr(error)


def _failed(why: str) -> Outcome:
    return Outcome("could not be measured", why, Verdict.FAILED)
