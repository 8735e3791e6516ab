"""Who fails alone waits longer each time; who waits for the provider is woken by its answer."""

import asyncio
import math
from collections.abc import AsyncIterator

import pytest

from actors.contracts.errors import Unavailable
from actors.order import step_retries
from actors.order.step_retries import StepRetries
from tests.support.waiting import until


class Card:
    """A charge that fails so many times, or until it is told to succeed."""

    def __init__(self, code: str = "provider_unavailable", fails: float = math.inf) -> None:
        self.code = code
        self.fails = fails
        self.tries = 0

    async def __call__(self) -> bool:
        self.tries += 1
        if self.code and self.tries <= self.fails:
            raise Unavailable(self.code, "told to fail")
        return True


class Pauses(list[float]):
    """How long was waited for before each further try, in seconds; no test waits for that."""

    blameless = True
    """Whether it was never the order's own fault."""


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    found = Pauses()

    async def pause(_self: object, _order_id: str, seconds: float, *, blameless: bool) -> None:
        found.append(seconds)
        found.blameless = found.blameless and blameless

    monkeypatch.setattr(StepRetries, "_pause", pause)
    return found


@pytest.fixture
def for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a pause end by nothing but being woken."""
    for name in ("FIRST_S", "LONGEST_S", "LONGEST_IN_DOUBT_S"):
        monkeypatch.setattr(step_retries, name, 1000.0)


@pytest.fixture
async def started() -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks: list[asyncio.Task[None]] = []
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def failing(retries: StepRetries, order_id: str, started: list[asyncio.Task[None]]) -> Card:
    """Return a card that has failed for an order, which waits for its next try."""
    card = Card()
    started.append(asyncio.create_task(retries.until_done(order_id, card)))
    await until(lambda: card.tries >= 1)
    return card


async def test_an_order_that_fails_by_itself_waits_longer_each_time_up_to_minutes(
    pauses: Pauses,
) -> None:
    retries = StepRetries()
    await retries.until_done("another", Card(""))
    await retries.until_done("o", Card(fails=30))
    assert len(pauses) == 30
    assert pauses[0] <= 0.2
    assert all(60 <= seconds <= 120 for seconds in pauses[15:])
    assert len(set(pauses[15:])) == 15, "spread"
    assert sum(pauses[:8]) < 60, "at first it is tried again within seconds"


async def test_where_nobody_is_served_an_order_is_tried_again_within_seconds(
    pauses: Pauses,
) -> None:
    """The provider may be away, and nobody else there to find out that it is back."""
    await StepRetries().until_done("o", Card(fails=30))
    assert len(pauses) == 30
    assert max(pauses) <= 15
    assert pauses.blameless


@pytest.mark.parametrize("code", ["circuit_open", "database_unavailable", "no_reply"])
async def test_what_is_no_fault_of_the_order_is_asked_again_within_seconds(
    pauses: Pauses, code: str
) -> None:
    await StepRetries().until_done("o", Card(code, fails=30))
    assert len(pauses) == 30
    assert max(pauses) <= 5
    assert pauses.blameless


@pytest.mark.usefixtures("for_ever")
async def test_the_first_answer_wakes_all_who_wait_for_the_provider(
    started: list[asyncio.Task[None]],
) -> None:
    retries = StepRetries()
    waiting = [failing(retries, f"o-{n}", started) for n in range(50)]
    for card in await asyncio.gather(*waiting):
        card.code = ""

    await retries.until_done("new", Card(""))

    async with asyncio.timeout(30):
        await asyncio.gather(*started)


@pytest.mark.usefixtures("for_ever")
async def test_an_order_that_fails_while_others_are_served_is_not_woken_by_them(
    started: list[asyncio.Task[None]],
) -> None:
    retries = StepRetries()
    await retries.until_done("good", Card(""))
    dead = await failing(retries, "dead", started)
    for n in range(20):
        await retries.until_done(f"good {n}", Card(""))
        await asyncio.sleep(0)
    assert dead.tries == 1


@pytest.mark.usefixtures("for_ever")
async def test_a_step_that_is_not_needed_any_more_is_let_go(
    started: list[asyncio.Task[None]],
) -> None:
    retries = StepRetries()
    dead = await failing(retries, "o", started)
    dead.code = ""
    retries.hurry("o")
    async with asyncio.timeout(30):
        await started[0]
