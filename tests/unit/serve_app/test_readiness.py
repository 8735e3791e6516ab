"""However many ask whether orders can be placed, it is looked up once."""

import asyncio

import pytest

from serve_app import readiness
from serve_app.readiness import Readiness


class Host:
    """What is looked at: each look commits, and answers once it may."""

    def __init__(self) -> None:
        self.looks = 0
        self.missing: list[str] = []
        self.answers = asyncio.Event()

    async def look(self) -> list[str]:
        self.looks += 1
        await self.answers.wait()
        return list(self.missing)


async def test_all_who_ask_at_once_share_one_look() -> None:
    host = Host()
    ready = Readiness(host.look)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(ready.missing()) for _ in range(100)]
        await asyncio.sleep(0)
        host.answers.set()
    assert [task.result() for task in asked] == [[]] * 100
    assert host.looks == 1


async def test_the_outcome_is_told_again_for_a_while_and_then_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readiness, "FRESH_S", 60)
    host = Host()
    host.answers.set()
    ready = Readiness(host.look)
    assert await ready.missing() == []
    host.missing = ["order-host:0"]
    assert await ready.missing() == []

    monkeypatch.setattr(readiness, "FRESH_S", 0)
    later = Readiness(host.look)
    assert await later.missing() == ["order-host:0"]
    host.missing = []
    assert await later.missing() == []


async def test_whoever_gives_up_leaves_the_look_to_the_others() -> None:
    host = Host()
    ready = Readiness(host.look)
    first, second = (asyncio.create_task(ready.missing()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    host.answers.set()
    assert await second == []
    assert host.looks == 1
