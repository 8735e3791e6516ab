"""Who is silent gets replaced, once; who is alive, new or only asked by a sleeper does not."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from ray.exceptions import ActorUnavailableError

from actors.order import nudge
from actors.runtime import replacing
from actors.runtime.replacing import Incarnation, Watch
from actors.runtime.silence import Silence

EVERY_S = 1.0
FIRST, SECOND = Incarnation("node", 1), Incarnation("node", 2)
STARTING = Incarnation("node", 3, starting=True)


class Clock:
    """A monotonic clock that the test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("actors.runtime.silence.time.monotonic", clock)
    return clock


class Actor:
    """An actor as Ray tells of it, and what was killed of it."""

    def __init__(self) -> None:
        self.lives: Incarnation | None = FIRST
        self.killed: list[Incarnation] = []

    def watch(self) -> Watch:
        return Watch(EVERY_S, find=lambda _: self.lives, kill=self._kill)

    def _kill(self, _actor: object, silent: Incarnation, _why: str) -> None:
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


async def test_a_silent_actor_is_replaced_after_6_seconds(clock: Clock) -> None:
    actor = Actor()
    watch = actor.watch()
    watch.begin()
    assert not await pass_by(watch, clock, 6)
    assert actor.killed == []
    assert await pass_by(watch, clock, 1)
    assert actor.killed == [FIRST]


async def test_who_makes_a_sound_now_and_then_is_left_alone(clock: Clock) -> None:
    actor = Actor()
    watch = actor.watch()
    watch.begin()
    for _ in range(10):
        assert not await pass_by(watch, clock, 5)
        watch.heard()
    assert actor.killed == []


async def test_requests_one_after_the_other_add_up(clock: Clock) -> None:
    """Each gives up after some seconds: none alone would wait long enough."""
    actor = Actor()
    watch = actor.watch()
    for _ in range(3):
        watch.begin()
        await pass_by(watch, clock, 3)
        clock.now += 600  # nobody asks: nobody expects an answer
    assert actor.killed == [FIRST]


async def test_time_in_which_the_caller_itself_was_stopped_does_not_count(clock: Clock) -> None:
    actor = Actor()
    watch = actor.watch()
    watch.begin()
    await pass_by(watch, clock, 3)
    clock.now += 3600  # stopped, or the whole machine asleep
    assert not await pass_by(watch, clock, 2)
    assert actor.killed == []


async def test_a_fresh_incarnation_is_not_killed_for_its_predecessor_s_silence(
    clock: Clock,
) -> None:
    actor = Actor()
    watch = actor.watch()
    watch.begin()
    await pass_by(watch, clock, 4)
    actor.lives = SECOND
    assert await pass_by(watch, clock, 3)
    assert actor.killed == []


async def test_an_actor_that_is_being_started_is_not_killed(clock: Clock) -> None:
    actor = Actor()
    actor.lives = None
    watch = actor.watch()
    watch.begin()
    assert await pass_by(watch, clock, 16)
    assert actor.killed == []


async def test_one_that_hangs_in_its_start_is_replaced_after_a_minute(clock: Clock) -> None:
    actor = Actor()
    actor.lives = STARTING
    watch = actor.watch()
    watch.begin()
    assert not await pass_by(watch, clock, 60)
    assert actor.killed == []
    assert await pass_by(watch, clock, 1)
    assert actor.killed == [STARTING]


async def test_the_replacement_of_one_that_hung_is_replaced_where_it_hangs_in_its_start(
    clock: Clock,
) -> None:
    actor = Actor()
    watch = actor.watch()
    watch.begin()
    assert await pass_by(watch, clock, 7)
    actor.lives = STARTING
    assert await pass_by(watch, clock, 61)
    assert actor.killed == [FIRST, STARTING]


async def test_a_process_that_was_slow_to_come_gets_its_time_all_the_same(clock: Clock) -> None:
    actor = Actor()
    actor.lives = None
    watch = actor.watch()
    watch.begin()
    await pass_by(watch, clock, 5)
    actor.lives = STARTING
    await pass_by(watch, clock, 55)
    assert actor.killed == []
    await pass_by(watch, clock, 15)
    assert actor.killed == [STARTING]


async def test_one_that_came_out_of_its_start_in_the_end_is_left_alone(clock: Clock) -> None:
    actor = Actor()
    actor.lives = STARTING
    watch = actor.watch()
    watch.begin()
    await pass_by(watch, clock, 58)
    actor.lives = STARTING._replace(starting=False)
    assert await pass_by(watch, clock, 4)
    assert actor.killed == []


async def test_several_callers_kill_it_once(clock: Clock) -> None:
    actor = Actor()
    watches = [actor.watch() for _ in range(5)]
    for watch in watches:
        watch.begin()
    for _ in range(8):
        clock.now += 1
        for watch in watches:
            watch.look(object())
            if watch._task is not None:
                await watch._task
        if actor.lives is None:
            actor.lives = SECOND
    assert actor.killed == [FIRST]


async def test_one_that_says_itself_that_it_hangs_is_replaced_unless_another_lives_by_now() -> None:
    actor = Actor()
    watch = actor.watch()
    actor.lives = SECOND
    await watch.replace(object(), FIRST.pid, "it hangs")
    assert actor.killed == []
    await watch.replace(object(), SECOND.pid, "it hangs")
    assert actor.killed == [SECOND]


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

    def kill(_actor: object, silent: Incarnation, _why: str) -> None:
        died.append(silent)
        answer.get_loop().call_soon_threadsafe(answer.set_result, "the next incarnation's")

    watch = Watch(0.02, find=lambda _: FIRST, kill=kill)
    assert await watch.during(answer, object()) == "the next incarnation's"
    assert died == [FIRST]


async def test_that_ray_says_it_does_not_live_yet_is_no_sound_of_an_actor_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While an actor hangs in its start, Ray answers each call in its stead."""
    monkeypatch.setattr(replacing, "SUSPECT_S", 0.02)
    monkeypatch.setattr(replacing, "START_S", 0.1)
    monkeypatch.setattr(nudge, "LOOK_S", 0.01)
    replaced = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Starting:
        """The handle of an actor that hangs in its start until it is killed."""

        @property
        def nudge(self) -> Any:
            return self

        async def remote(self) -> None:
            if not replaced.is_set():
                raise ActorUnavailableError("it is restarting", None)
            nudged.set()

    def kill(_actor: object, silent: Incarnation, _why: str) -> None:
        assert silent == STARTING
        loop.call_soon_threadsafe(replaced.set)

    nudged = asyncio.Event()
    hint = nudge.Nudge(Starting)
    hint._watch = Watch(0.01, find=lambda _: STARTING, kill=kill)
    hint()
    async with asyncio.timeout(10):
        await nudged.wait()
    assert replaced.is_set()


def test_silence_counts_what_was_awaited_awake(clock: Clock) -> None:
    listening = Silence(EVERY_S)
    clock.now += 1
    assert listening.look() == 1
    clock.now += 100
    assert listening.look() == 3
    listening.heard()
    clock.now += 1
    assert listening.look() == 1
