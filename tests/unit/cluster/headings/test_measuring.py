"""Headings are measured one after the other, whatever one of them does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from actors.contracts.errors import SirenError
from cluster.headings import target as targets
from cluster.headings.measuring import measured
from cluster.headings.record import Heading, Outcome, Verdict
from cluster.headings.target import Target

GOOD = Outcome("done", "1", Verdict.MET)


def heading(name: str, *, fails: Exception | None = None, limit_s: float = 60) -> Heading:
    """A heading that finds one thing, and then ends or fails."""

    async def measure(_target: Target) -> AsyncIterator[Outcome]:
        yield GOOD
        if fails is not None:
            raise fails

    return Heading(name, "", measure, limit_s)


async def outcomes(*headings: Heading) -> list[tuple[str, Outcome]]:
    async with Target(lambda _: None) as target:
        return [(found.name, row) async for found, row in measured(headings, target)]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SirenError("no_start", "it did not start"), "it did not start"),
        (ConnectionResetError("gone"), "ConnectionResetError('gone')"),
        (TimeoutError(), "TimeoutError()"),
    ],
)
async def test_one_that_fails_keeps_its_rows_says_why_and_does_not_stop_the_others(
    error: Exception, words: str
) -> None:
    rows = await outcomes(heading("first", fails=error), heading("second"))
    assert [(name, row.verdict) for name, row in rows] == [
        ("first", Verdict.MET),
        ("first", Verdict.FAILED),
        ("second", Verdict.MET),
    ]
    assert rows[1][1].figure == words


async def test_one_that_takes_too_long_is_ended_and_has_tidied_up_before_the_next_begins() -> None:
    order: list[str] = []

    async def endless(_target: Target) -> AsyncIterator[Outcome]:
        try:
            yield GOOD
            await asyncio.Event().wait()
        finally:
            order.append("tidied up")

    async def next_one(_target: Target) -> AsyncIterator[Outcome]:
        order.append("next")
        yield GOOD

    rows = await outcomes(
        Heading("endless", "", endless, limit_s=0.01), Heading("next", "", next_one, 60)
    )
    assert order == ["tidied up", "next"]
    assert rows[1][1].figure.startswith("not done within")
    assert rows[2][1] is GOOD


async def test_a_heading_that_is_interrupted_tidies_up() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def endless(_target: Target) -> AsyncIterator[Outcome]:
        began.set()
        try:
            await asyncio.Event().wait()
            yield GOOD
        finally:
            ended.set()

    work = asyncio.create_task(outcomes(Heading("endless", "", endless, 60)))
    await began.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert ended.is_set()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """When systems begin and end; none is started for real."""
    said: list[str] = []

    @asynccontextmanager
    async def fake(name: str = "shared") -> AsyncIterator[object]:
        said.append(f"{name} begins")
        try:
            yield object()
        finally:
            said.append(f"{name} ends")

    monkeypatch.setattr(targets, "own_system", fake)
    return said


async def test_headings_share_one_throw_away_system_which_ends_with_them(said: list[str]) -> None:
    async with Target(lambda _: None) as target:
        assert await target.site() is await target.site()
        assert said == ["shared begins"]
    assert said == ["shared begins", "shared ends"]


async def test_a_system_for_one_heading_alone_does_not_run_beside_the_shared_one(
    said: list[str],
) -> None:
    async with Target(lambda _: None) as target:
        await target.site()
        async with target.own(name="own"):
            said.append("measuring")
        await target.site()
    assert said == [
        "shared begins",
        "shared ends",
        "own begins",
        "measuring",
        "own ends",
        "shared begins",
        "shared ends",
    ]


async def test_a_system_of_its_own_ends_where_its_heading_fails(said: list[str]) -> None:
    async with Target(lambda _: None) as target:
        with pytest.raises(ZeroDivisionError):
            async with target.own(name="own"):
                raise ZeroDivisionError
    assert said == ["own begins", "own ends"]


@pytest.mark.parametrize(("quick", "seconds", "requests"), [(False, 30, 50_000), (True, 3, 5_000)])
def test_a_quick_look_does_a_tenth(
    quick: bool,  # noqa: FBT001 - a case
    seconds: float,
    requests: int,
) -> None:
    target = Target(lambda _: None, quick=quick)
    assert (target.seconds(30), target.requests(50_000)) == (seconds, requests)
