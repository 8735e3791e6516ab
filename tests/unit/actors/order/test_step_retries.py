"""Who fails alone waits longer each time; who waits for the provider is woken by its answer."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from actors.contracts.errors import Unavailable
from actors.order import step_retries
from actors.order.step_retries import StepRetries
from tests.support.waiting import until


class Card:
    """A charge that fails until it is told to succeed."""

    def __init__(self, code: str = "provider_unavailable") -> None:
        self.code = code
        self.tries: list[float] = []

    async def __call__(self) -> bool:
        self.tries.append(asyncio.get_running_loop().time())
        if self.code:
            raise Unavailable(self.code, "told to fail")
        return True


@pytest.fixture
async def started() -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks: list[asyncio.Task[None]] = []
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def tried(card: Card, times: int) -> None:
    await until(lambda: len(card.tries) >= times)


async def test_an_order_that_fails_by_itself_waits_longer_each_time_up_to_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def pause(_self: object, _order_id: str, seconds: float, **_: object) -> None:
        pauses.append(seconds)
        if len(pauses) == 30:
            card.code = ""

    monkeypatch.setattr(StepRetries, "_pause", pause)
    card, retries = Card(), StepRetries()
    await retries.until_done("another", Card(""))
    await retries.until_done("o", card)
    assert pauses[0] <= 0.2
    assert all(60 <= seconds <= 120 for seconds in pauses[15:])
    assert len(set(pauses[15:])) == 15, "spread"
    assert sum(pauses[:8]) < 60, "at first it is tried again within seconds"


async def test_where_nobody_is_served_an_order_is_tried_again_within_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The provider may be away, and nobody else there to find out that it is back."""
    pauses: list[float] = []

    async def pause(_self: object, _order_id: str, seconds: float, *, blameless: bool) -> None:
        assert blameless
        pauses.append(seconds)
        if len(pauses) == 30:
            card.code = ""

    monkeypatch.setattr(StepRetries, "_pause", pause)
    card = Card()
    await StepRetries().until_done("o", card)
    assert max(pauses) <= 15


@pytest.mark.parametrize("code", ["circuit_open", "database_unavailable", "no_reply"])
async def test_what_is_no_fault_of_the_order_is_asked_again_within_seconds(
    monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    pauses: list[float] = []

    async def pause(_self: object, _order_id: str, seconds: float, *, blameless: bool) -> None:
        assert blameless
        pauses.append(seconds)
        if len(pauses) == 30:
            card.code = ""

    monkeypatch.setattr(StepRetries, "_pause", pause)
    card = Card(code)
    await StepRetries().until_done("o", card)
    assert max(pauses) <= 5


async def test_the_first_answer_wakes_all_who_wait_for_the_provider(
    monkeypatch: pytest.MonkeyPatch, started: list[asyncio.Task[None]]
) -> None:
    monkeypatch.setattr(step_retries, "FIRST_S", 1000.0)
    monkeypatch.setattr(step_retries, "LONGEST_S", 1000.0)
    retries = StepRetries()
    cards = [Card() for _ in range(50)]
    started += [
        asyncio.create_task(retries.until_done(f"o-{n}", card)) for n, card in enumerate(cards)
    ]
    for card in cards:
        await tried(card, 1)
        card.code = ""

    await retries.until_done("new", Card(""))

    async with asyncio.timeout(30):
        await asyncio.gather(*started)


async def test_an_order_that_fails_while_others_are_served_is_not_woken_by_them(
    monkeypatch: pytest.MonkeyPatch, started: list[asyncio.Task[None]]
) -> None:
    monkeypatch.setattr(step_retries, "FIRST_S", 1000.0)
    monkeypatch.setattr(step_retries, "LONGEST_S", 1000.0)
    retries = StepRetries()
    await retries.until_done("good", Card(""))
    dead = Card()
    started.append(asyncio.create_task(retries.until_done("dead", dead)))
    await tried(dead, 1)
    for n in range(20):
        await retries.until_done(f"good {n}", Card(""))
        await asyncio.sleep(0)
    assert len(dead.tries) == 1


async def test_a_step_that_is_not_needed_any_more_is_let_go(
    monkeypatch: pytest.MonkeyPatch, started: list[asyncio.Task[None]]
) -> None:
    monkeypatch.setattr(step_retries, "FIRST_S", 1000.0)
    monkeypatch.setattr(step_retries, "LONGEST_S", 1000.0)
    retries, dead = StepRetries(), Card()
    started.append(asyncio.create_task(retries.until_done("o", dead)))
    await tried(dead, 1)
    dead.code = ""
    retries.hurry("o")
    async with asyncio.timeout(30):
        await started[0]
