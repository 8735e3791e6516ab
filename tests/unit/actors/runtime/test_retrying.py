"""Whatever is asked is asked again until there is an answer."""

import asyncio

import pytest
from tenacity import wait_none

from actors.contracts.errors import Unavailable
from actors.runtime import retrying
from actors.runtime.retrying import begun, until_done


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying._RETRYING, "wait", wait_none())


class Flaky:
    """Fails with each error in turn, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    async def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "done"


async def test_an_answer_is_returned_at_once() -> None:
    assert await until_done(Flaky()) == "done"


async def test_failures_are_asked_again_until_one_succeeds() -> None:
    flaky = Flaky(*(Unavailable("down", "not now") for _ in range(5)))
    assert await until_done(flaky) == "done"
    assert flaky.errors == []


async def test_a_fault_of_ours_is_logged_and_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert await until_done(Flaky(KeyError("bug"), Unavailable("down", "not now"))) == "done"
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_what_does_not_succeed_in_time_goes_on_behind_the_caller() -> None:
    may_succeed = asyncio.Event()

    async def create() -> None:
        if not may_succeed.is_set():
            raise Unavailable("down", "not now")

    task = await begun(create, 0.01)
    assert not task.done()
    may_succeed.set()
    await task


async def test_what_succeeds_is_done_when_the_caller_goes_on() -> None:
    async def create() -> None:
        await asyncio.sleep(0)

    assert (await begun(create, 60)).done()
