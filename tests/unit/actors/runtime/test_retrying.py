"""Whatever is asked is asked again until there is an answer."""

import pytest
from tenacity import wait_none

from actors.contracts.errors import Unavailable
from actors.runtime import retrying
from actors.runtime.retrying import until_done


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
