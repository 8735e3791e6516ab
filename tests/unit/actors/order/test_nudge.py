"""A nudge brings along what is traced, where the projection takes it."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from actors.order.nudge import Nudge
from actors.runtime import tracing
from tests.support.otlp_collector import collecting
from tests.support.waiting import until


class Projection:
    """Stands in for its Ray handle, which checks what is given before it is sent."""

    def __init__(self, *, takes_traces: bool) -> None:
        self._takes_traces = takes_traces
        self.nudges: list[tuple[Any, ...]] = []
        self.nudge = SimpleNamespace(remote=self._remote)

    def _remote(self, *given: Any) -> asyncio.Future[None]:
        if given and not self._takes_traces:
            raise TypeError("too many positional arguments")
        self.nudges.append(given)
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answered.set_result(None)
        return answered


@pytest.fixture
def committed() -> Iterator[None]:
    """Something was committed that is traced."""
    with collecting() as collector:
        tracing.begin_tracing(collector.endpoint, "order-host:0")
        with tracing.span("commit journal"):
            tracing.hand_on("order-1", 4)
        yield
        tracing.taken_on()
        tracing.end_tracing()


async def nudged(projection: Projection) -> tuple[Any, ...]:
    Nudge(lambda: projection)()
    await until(lambda: projection.nudges)
    return projection.nudges[0]


async def test_what_was_committed_is_brought_along_with_its_trace(committed: None) -> None:
    assert committed is None
    (((order_id, version, carrier),),) = await nudged(Projection(takes_traces=True))
    assert (order_id, version) == ("order-1", 4)
    assert carrier["traceparent"].startswith("00-")


async def test_a_projection_of_the_version_before_is_nudged_all_the_same(committed: None) -> None:
    assert committed is None
    assert await nudged(Projection(takes_traces=False)) == ()


async def test_where_nothing_is_traced_nothing_is_brought_along() -> None:
    assert await nudged(Projection(takes_traces=True)) == ()
