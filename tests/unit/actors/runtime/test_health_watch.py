"""Who says twice that its work does not go on is replaced, and not again and again."""

import os

import pytest

from actors.contracts.errors import Unavailable
from actors.contracts.messages import HealthReply, HealthRequest
from actors.runtime.health_watch import FIRST_PAUSE_S, LONGEST_PAUSE_S, HealthWatch
from actors.runtime.rpc_server import RpcServer
from tests.support.clock import TurnedClock
from tests.support.wire import LOOPBACK, PATIENCE, Wire, echo


class Actor:
    """An actor that is asked: what it says, and which of its processes was replaced."""

    def __init__(self) -> None:
        self.pid = 1
        self.trouble: str | None = None
        self.answers = True
        self.replaced: list[int] = []
        self.clock = TurnedClock()
        self.watch = HealthWatch(self._ask, self._replace, self.clock)

    async def _ask(self) -> HealthReply:
        if not self.answers:
            raise Unavailable("no_reply", "The service did not answer in time.")
        return HealthReply(self.pid, self.trouble)

    async def _replace(self, pid: int, _why: str) -> None:
        self.replaced.append(pid)
        self.pid += 1

    async def pass_by(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.now += 1
            await self.watch.look()


@pytest.fixture
def actor() -> Actor:
    return Actor()


async def test_one_whose_work_goes_on_is_left_alone(actor: Actor) -> None:
    await actor.pass_by(100)
    assert actor.replaced == []


async def test_one_that_says_twice_that_it_hangs_is_replaced(actor: Actor) -> None:
    actor.trouble = "it hangs"
    await actor.pass_by(1)
    assert actor.replaced == []
    await actor.pass_by(1)
    assert actor.replaced == [1]


async def test_one_that_finishes_late_after_a_stop_is_left_alone(actor: Actor) -> None:
    for _ in range(10):
        actor.trouble = "it was stopped for a while"
        await actor.pass_by(1)
        actor.trouble = None
        await actor.pass_by(1)
    assert actor.replaced == []


async def test_what_another_process_said_does_not_count(actor: Actor) -> None:
    actor.trouble = "it hangs"
    for _ in range(10):
        await actor.pass_by(1)
        actor.pid += 1
    assert actor.replaced == []


async def test_silence_is_left_to_the_channel(actor: Actor) -> None:
    actor.answers = False
    await actor.pass_by(100)
    assert actor.replaced == []


async def test_trouble_that_comes_back_is_no_reason_to_kill_without_end(actor: Actor) -> None:
    actor.trouble = "it hangs"
    await actor.pass_by(int(FIRST_PAUSE_S))
    assert len(actor.replaced) == 1
    await actor.pass_by(600)
    few = len(actor.replaced)
    assert 3 <= few <= 8
    await actor.pass_by(600)
    assert len(actor.replaced) - few <= 600 // LONGEST_PAUSE_S + 1


async def test_after_a_long_time_of_health_it_is_replaced_at_once_again(actor: Actor) -> None:
    actor.trouble = "it hangs"
    await actor.pass_by(2)
    actor.trouble = None
    await actor.pass_by(int(3 * LONGEST_PAUSE_S))
    actor.trouble = "it hangs again"
    await actor.pass_by(2)
    assert len(actor.replaced) == 2


async def test_a_service_tells_what_hangs_behind_it(wire: Wire) -> None:
    troubles = ["a batch has not come back"]
    wire.callee.server = RpcServer(echo, LOOPBACK, trouble=lambda: troubles[-1])
    reply = await wire.channel.ask(HealthRequest(), PATIENCE)
    assert reply == HealthReply(os.getpid(), troubles[-1])
