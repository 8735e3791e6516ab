"""Which orders are in memory: none is let go while somebody needs it, and none stays for ever."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.order.domain import commands as cmd
from actors.order.host import OrderHost
from actors.settings import Settings
from tests.support import InProcess


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with InProcess(Settings(data_dir=tmp_path)) as system:
        yield system


def passivate_all(host: OrderHost) -> None:
    host._passivate_after_s = 0
    host.passivate_idle()


async def test_who_gives_up_waiting_for_an_answer_keeps_no_order_in_memory(
    system: InProcess,
) -> None:
    order_id = await system.place("tok_slow_300", wait=0)
    waiting = asyncio.create_task(system.do(order_id, cmd.CancelOrder, reason="too slow"))
    while not system.host._live[order_id].waiters:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await system.settle()
    assert not system.host.busy
    passivate_all(system.host)
    assert order_id not in system.host
