"""Who waits for something known is lost in it only beyond its limit, and with nobody at work."""

import os
import subprocess
import sys

import pytest

from actors.runtime.waits import RECENT_S, SLOW_S, Waits, thread_states
from tests.support.clock import TurnedClock


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


def idle(clock: TurnedClock) -> Waits:
    return Waits(clock, is_at_work=lambda: False)


def test_a_quick_answer_keeps_nobody_waiting(clock: TurnedClock) -> None:
    waits = idle(clock)
    with waits.up_to(10):
        clock.now += SLOW_S
        assert not waits.are_long
    assert not waits.are_long


def test_a_slow_one_does_and_is_remembered_for_a_while(clock: TurnedClock) -> None:
    waits = idle(clock)
    with waits.up_to(10), waits.up_to(10):
        clock.now += SLOW_S + 0.1
        assert waits.are_long
    assert waits.are_long
    clock.now += RECENT_S
    assert not waits.are_long


def test_who_waits_beyond_the_limit_is_lost(clock: TurnedClock) -> None:
    waits = idle(clock)
    with waits.up_to(60), waits.up_to(10):
        clock.now += 10
        assert waits.lost() is None
        clock.now += 1
        assert waits.lost() == 11
    assert waits.lost() is None


def test_nobody_is_lost_while_a_thread_is_at_work(clock: TurnedClock) -> None:
    waits = Waits(clock, is_at_work=lambda: True)
    with waits.up_to(10):
        clock.now += 600
        assert waits.lost() is None


def test_a_wait_without_a_limit_is_never_lost(clock: TurnedClock) -> None:
    waits = idle(clock)
    with waits.up_to(float("inf")):
        clock.now += 3600
        assert waits.lost() is None


def test_a_wait_that_failed_is_over(clock: TurnedClock) -> None:
    waits = idle(clock)
    with pytest.raises(OSError, match="gone"), waits.up_to(1):
        raise OSError("gone")
    clock.now += 60
    assert waits.lost() is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of threads")
def test_a_process_tells_which_of_its_threads_are_at_work() -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        try:
            assert set(thread_states(sleeper.pid)) <= set("SRD")
            assert len(thread_states(sleeper.pid)) == 1
        finally:
            sleeper.kill()
    assert thread_states(sleeper.pid) == []
    assert "R" in thread_states(os.getpid())
