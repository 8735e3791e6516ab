"""Who is silent gets replaced, once; who is alive, new or only asked by a sleeper does not."""

import asyncio
from collections.abc import Callable

import pytest

from actors import replacing
from actors.replacing import Incarnation, Watch
from actors.silence import Silence

EVERY_S = 1.0
FIRST, SECOND = Incarnation("node", 1), Incarnation("node", 2)


class Clock:
    """A monotonic clock that the test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("actors.silence.time.monotonic", clock)
    return clock


class Actor:
    """An actor as Ray tells of it, and what was killed of it."""

    def __init__(self) -> None:
        self.lives: Incarnation | None = FIRST
        self.killed: list[Incarnation] = []

    def watch(self) -> Watch:
        return Watch(EVERY_S, find=lambda _: self.lives, kill=self._kill)

    def _kill(self, _actor: object, silent: Incarnation) -> None:
        if self.lives == silent:
            self.killed.append(silent)
            self.lives = None


async def pass_by(
    watch: Watch, clock: Clock, seconds: int, then: Callable[[], object] = lambda: None
) -> bool:
    """Let time pass, with a look each second; return whether the actor was given up."""
    given_up = False
    for _ in range(seconds):
        clock.now += 1
        given_up |= watch.look(object())
        then()
        if watch._task is not None:
            await watch._task
    return given_up


async def test_a_silent_actor_is_replaced_after_15_seconds(clock: Clock) -> None:
    actor = Actor()
    watch = actor.watch()
    watch.begin()
    assert not await pass_by(watch, clock, 15)
    assert actor.killed == []
    assert await pass_by(watch, clock, 1)
    assert actor.killed == [FIRST]


async def test_who_makes_a_sound_now_and_then_is_left_alone(clock: Clock) -> None:
    actor = Actor()
    watch = actor.watch()
    watch.begin()
    for _ in range(10):
        assert not await pass_by(watch, clock, 14)
        watch.heard()
    assert actor.killed == []


async def test_requests_one_after_the_other_add_up(clock: Clock) -> None:
    """Each gives up after some seconds: none alone would wait long enough."""
    actor = Actor()
    watch = actor.watch()
    for _ in range(3):
        watch.begin()
        await pass_by(watch, clock, 6)
        clock.now += 600  # nobody asks: nobody expects an answer
    assert actor.killed == [FIRST]


async def test_time_in_which_the_caller_itself_was_stopped_does_not_count(clock: Clock) -> None:
    actor = Actor()
    watch = actor.watch()
    watch.begin()
    await pass_by(watch, clock, 10)
    clock.now += 3600  # stopped, or the whole machine asleep
    assert not await pass_by(watch, clock, 2)
    assert actor.killed == []


async def test_a_fresh_incarnation_is_not_killed_for_its_predecessor_s_silence(
    clock: Clock,
) -> None:
    actor = Actor()
    watch = actor.watch()
    watch.begin()
    await pass_by(watch, clock, 12)
    actor.lives = SECOND
    assert await pass_by(watch, clock, 4)
    assert actor.killed == []


async def test_an_actor_that_is_being_started_is_not_killed(clock: Clock) -> None:
    actor = Actor()
    actor.lives = None
    watch = actor.watch()
    watch.begin()
    assert await pass_by(watch, clock, 16)
    assert actor.killed == []


async def test_several_callers_kill_it_once(clock: Clock) -> None:
    actor = Actor()
    watches = [actor.watch() for _ in range(5)]
    for watch in watches:
        watch.begin()
    for _ in range(17):
        clock.now += 1
        for watch in watches:
            watch.look(object())
            if watch._task is not None:
                await watch._task
        if actor.lives is None:
            actor.lives = SECOND
    assert actor.killed == [FIRST]


async def test_while_ray_does_not_tell_where_it_lives_nothing_is_killed(clock: Clock) -> None:
    def away(_actor: object) -> Incarnation:
        raise RuntimeError("the control service is away")

    actor = Actor()
    watch = Watch(EVERY_S, find=away, kill=actor._kill)
    watch.begin()
    assert await pass_by(watch, clock, 20)
    assert actor.killed == []


async def test_a_call_of_ray_s_that_is_never_answered_has_its_actor_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replacing, "SUSPECT_S", 0.05)
    monkeypatch.setattr(replacing, "SILENCE_S", 0.2)
    answer = asyncio.get_running_loop().create_future()
    died: list[Incarnation] = []

    def kill(_actor: object, silent: Incarnation) -> None:
        died.append(silent)
        answer.get_loop().call_soon_threadsafe(answer.set_result, "the next incarnation's")

    watch = Watch(0.02, find=lambda _: FIRST, kill=kill)
    assert await watch.during(answer, object()) == "the next incarnation's"
    assert died == [FIRST]


def test_silence_counts_what_was_awaited_awake(clock: Clock) -> None:
    listening = Silence(EVERY_S)
    clock.now += 1
    assert listening.look() == 1
    clock.now += 100
    assert listening.look() == 3
    listening.heard()
    clock.now += 1
    assert listening.look() == 1
