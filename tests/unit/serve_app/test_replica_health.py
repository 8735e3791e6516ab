"""A replica says so where a command or a read never comes back."""

import asyncio
from typing import Any

import pytest

from actors.command_waits import ANSWER_MARGIN_S
from actors.order.domain import commands as cmd
from actors.runtime.rpc_client import RpcClient
from serve_app.backend import Backend
from tests.support.clock import TurnedClock
from tests.support.waiting import until

ORDER_ID = "0" * 35


async def test_a_command_that_does_not_come_back_is_told_once_its_time_is_up(
    siren: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_args: Any) -> None:
        await asyncio.Event().wait()

    clock = TurnedClock()
    monkeypatch.setattr(RpcClient, "ask", never)
    monkeypatch.setattr(siren.commands, "clock", clock)
    command = asyncio.create_task(siren.send(ORDER_ID, cmd.MarkReady("k"), wait=30))
    await until(lambda: siren.commands.waiting)
    clock.now += 30 + ANSWER_MARGIN_S
    assert siren.trouble() is None
    clock.now += 3
    assert "a command has not come back" in (siren.trouble() or "")
    command.cancel()


async def test_a_read_that_does_not_come_back_is_told(
    siren: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_batch: list[str]) -> list[Any]:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("actors.runtime.hanging.PATIENCE_S", 0.05)
    monkeypatch.setattr(siren.details._gets, "_flush", never)
    assert siren.trouble() is None
    read = asyncio.create_task(siren.detail(ORDER_ID))
    await until(lambda: siren.trouble() is not None)
    read.cancel()
