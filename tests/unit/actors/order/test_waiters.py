"""Nobody waits for a payment while the provider is left alone."""

import asyncio
from pathlib import Path

import pytest

from actors.order.waiters import Waiters
from actors.settings import Settings
from tests.support.services import InProcess
from tests.support.waiting import until


async def test_those_who_wait_are_sent_home_when_their_order_is_postponed() -> None:
    waiters = Waiters()
    waiting = asyncio.create_task(waiters.wait("c", 3600))
    await asyncio.sleep(0)
    assert waiters
    waiters.postpone()
    await waiting
    await waiters.wait("c", 3600)  # at once, too
    assert not waiters


async def test_once_somebody_works_on_it_again_its_answer_is_waited_for() -> None:
    waiters = Waiters()
    waiters.postpone()
    waiters.expect()
    waiting = asyncio.create_task(waiters.wait("c", 3600))
    await asyncio.sleep(0)
    assert waiters
    waiters.wake(lambda command_id: command_id == "c")
    await waiting


async def test_who_orders_while_the_circuit_is_open_is_answered_before_the_wait_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.runtime.circuit.SILENCE_S", 0)
    async with InProcess(Settings(data_dir=tmp_path, breaker_threshold=1)) as system:
        dead = await system.place("tok_unavailable", wait=0)
        await until(lambda: system.payments.standing()["circuit"] == "open")
        async with asyncio.timeout(60):
            await system.place("tok_unavailable", wait=3600)
        assert system.host.works_on(dead)
