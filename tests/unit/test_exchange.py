"""Requests and replies between two actors: batched, repeated when lost, never in each other's way.

No Ray here: a stand-in for the actor's handle calls the callee's side, and fails on demand.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError

from actors import exchange
from actors.codec import pack
from actors.domain.errors import Rejected, Unavailable
from actors.exchange import Channel, Exchange, Frame, decode_batch, encode_batch
from actors.messages import RefundRequest, TicketReply

PATIENCE = 30.0
Handle = Callable[[RefundRequest], Awaitable[object]]


def ask_for(order_id: str) -> RefundRequest:
    return RefundRequest(order_id, 1)


async def echo(request: RefundRequest) -> TicketReply:
    return TicketReply(request.order_id)


class Remote:
    """What stands at `actor.exchange`; each call takes the next fault from `faults`."""

    def __init__(self, handle: Handle) -> None:
        self.callee = Exchange(handle)
        self.calls: list[list[Frame]] = []
        self.faults: list[str] = []
        self.running = 0
        self.most_running = 0

    async def remote(self, call: bytes) -> bytes:
        self.calls.append(decode_batch(call)[1])
        fault = self.faults.pop(0) if self.faults else ""
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            if fault == "hangs":
                await asyncio.Event().wait()
            if fault == "never arrives":
                raise ActorUnavailableError("The actor is unavailable.", None)
            answer = await self.callee(call)
            if fault == "reply is lost":
                raise ActorDiedError
            return answer
        finally:
            self.running -= 1

    @property
    def requests(self) -> int:
        return sum(len(frames) for frames in self.calls)


class Wire:
    """A channel and the actor at its other end."""

    def __init__(self) -> None:
        self.channel = Channel(self.connect)
        self.connected = 0
        self.exchange = Remote(echo)
        self.missing: list[Exception] = []

    def serve(self, handle: Handle) -> Remote:
        self.exchange = Remote(handle)
        return self.exchange

    def connect(self) -> Any:
        self.connected += 1
        if self.missing:
            raise self.missing.pop(0)
        return self

    async def ask(self, order_id: str, timeout: float = PATIENCE) -> Any:
        return await self.channel.ask(ask_for(order_id), timeout)

    async def at_rest(self) -> None:
        """Return once no call is under way; a channel that spins never gets there."""
        async with asyncio.timeout(10):
            while self.channel._calls or self.channel._scheduled:
                await asyncio.gather(*self.channel._calls)
                await asyncio.sleep(0)  # the channel itself looks once more in the next turn


@pytest.fixture
async def wire(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wire]:
    monkeypatch.setattr(exchange, "HOLD_S", 0.02)
    monkeypatch.setattr(exchange, "SILENCE_S", 0.2)
    wire = Wire()
    yield wire
    await wire.at_rest()


async def test_a_request_gets_its_reply(wire: Wire) -> None:
    assert await wire.ask("a") == TicketReply("a")


async def test_many_requests_travel_together(wire: Wire) -> None:
    replies = await asyncio.gather(*(wire.ask(str(n)) for n in range(200)))
    assert [reply.status for reply in replies] == [str(n) for n in range(200)]
    assert len(wire.exchange.calls) < 5


async def test_what_is_asked_while_a_call_waits_does_not_wait_for_it(wire: Wire) -> None:
    """No head-of-line blocking: the slow one is answered last although it was asked first."""
    release = asyncio.Event()

    async def handle(request: RefundRequest) -> TicketReply:
        if request.order_id == "slow":
            await release.wait()
        return TicketReply(request.order_id)

    remote = wire.serve(handle)
    slow = asyncio.ensure_future(wire.ask("slow"))
    for n in range(20):
        assert await wire.ask(f"fast {n}") == TicketReply(f"fast {n}")
    assert not slow.done()
    release.set()
    assert await slow == TicketReply("slow")
    assert remote.requests == 21, "nothing was sent twice"


async def test_more_slow_requests_than_one_call_can_carry_do_not_hold_up_a_fast_one(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit into one call sets out with the next one, not with the next reply."""
    monkeypatch.setattr(exchange, "LARGEST_BATCH", 4)
    monkeypatch.setattr(exchange, "HOLD_S", PATIENCE)
    monkeypatch.setattr(exchange, "SILENCE_S", 2 * PATIENCE)
    release = asyncio.Event()

    async def handle(request: RefundRequest) -> TicketReply:
        if request.order_id != "fast":
            await release.wait()
        return TicketReply(request.order_id)

    wire.serve(handle)
    slow = [asyncio.ensure_future(wire.ask("slow")) for _ in range(9)]
    assert await asyncio.wait_for(wire.ask("fast"), 5) == TicketReply("fast")
    release.set()
    await asyncio.gather(*slow)


async def test_at_most_two_calls_are_under_way(wire: Wire) -> None:
    async def handle(request: RefundRequest) -> TicketReply:
        await asyncio.sleep(0)
        return TicketReply(request.order_id)

    remote = wire.serve(handle)

    async def customer(name: int) -> None:
        for n in range(10):
            await wire.ask(f"{name}.{n}")

    await asyncio.gather(*(customer(name) for name in range(20)))
    assert remote.most_running <= 2
    assert remote.requests == 200


async def test_a_slow_request_is_polled_for_calmly(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing is ready, a call is held, not answered: else two actors would only talk."""
    release = asyncio.Event()
    held = 0

    async def handle(request: RefundRequest) -> TicketReply:
        await release.wait()
        return TicketReply(request.order_id)

    async def hold(callee: Exchange, box: object) -> None:
        nonlocal held
        held += 1
        if held == 3:
            release.set()
        await original(callee, box)  # type: ignore[arg-type]

    original = Exchange._hold
    monkeypatch.setattr(Exchange, "_hold", hold)
    remote = wire.serve(handle)
    assert await wire.ask("slow") == TicketReply("slow")
    assert len(remote.calls) <= held + 1


@pytest.mark.parametrize("fault", ["never arrives", "reply is lost", "hangs"])
async def test_a_lost_call_is_repeated_until_it_is_answered(wire: Wire, fault: str) -> None:
    wire.exchange.faults = [fault, fault]
    assert await wire.ask("a") == TicketReply("a")
    assert wire.connected == 3, "the actor is looked up again after each loss"


async def test_a_request_that_outlives_its_actor_is_asked_again(wire: Wire) -> None:
    """The new process knows nothing of what the old one had taken on.

    No call was under way when the old one died, so none failed: the answer itself must tell.
    """
    taken_on = asyncio.Event()

    async def dies_with_it(_request: RefundRequest) -> TicketReply:
        taken_on.set()
        await asyncio.Event().wait()
        raise AssertionError

    old = wire.serve(dies_with_it)
    reply = asyncio.ensure_future(wire.ask("a"))
    await taken_on.wait()
    wire.serve(echo)
    assert await reply == TicketReply("a")
    assert wire.connected == 1
    for task in old.callee._tasks:
        task.cancel()


@pytest.mark.parametrize(
    "error",
    [ValueError("no actor of this name"), RuntimeError("the control plane is away")],
    ids=["missing", "unexpected"],
)
async def test_an_actor_that_cannot_be_reached_yet_is_tried_again_without_a_flood(
    wire: Wire, error: Exception
) -> None:
    wire.missing = [error] * 3
    assert await wire.ask("a") == TicketReply("a")
    assert wire.connected == 4


async def test_who_waited_long_enough_hears_that_the_outcome_is_unknown(wire: Wire) -> None:
    async def never(_request: RefundRequest) -> TicketReply:
        await release.wait()
        return TicketReply("late")

    release = asyncio.Event()
    remote = wire.serve(never)
    with pytest.raises(Unavailable, match="no_reply"):
        await wire.ask("a", timeout=0.05)
    assert not wire.channel._unanswered
    release.set()
    await wire.at_rest()
    assert remote.requests == 1


async def test_a_channel_rests_once_everybody_gave_up(wire: Wire) -> None:
    """What was to be repeated for somebody who left must not keep the channel turning."""
    wire.exchange.faults = ["never arrives"] * 20
    with pytest.raises(Unavailable):
        await wire.ask("a", timeout=0.05)
    await wire.at_rest()
    wire.exchange.faults = []
    assert await wire.ask("b") == TicketReply("b")


async def test_a_refusal_arrives_as_itself(wire: Wire) -> None:
    async def refuse(_request: RefundRequest) -> TicketReply:
        raise Rejected("sold_out", "The bagel is sold out.")

    wire.serve(refuse)
    with pytest.raises(Rejected) as refused:
        await wire.ask("a")
    assert (refused.value.code, refused.value.detail) == ("sold_out", "The bagel is sold out.")


async def test_a_fault_of_the_service_is_logged_there_and_unavailable_here(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    async def stumble(_request: RefundRequest) -> TicketReply:
        raise ZeroDivisionError

    wire.serve(stumble)
    with pytest.raises(Unavailable, match="internal_error"):
        await wire.ask("a")
    assert "ZeroDivisionError" in caplog.text


async def test_one_refusal_does_not_spoil_the_others_in_its_call(wire: Wire) -> None:
    async def refuse_odd(request: RefundRequest) -> TicketReply:
        if int(request.order_id) % 2:
            raise Rejected("odd", "")
        return TicketReply(request.order_id)

    wire.serve(refuse_odd)
    replies = await asyncio.gather(*(wire.ask(str(n)) for n in range(4)), return_exceptions=True)
    assert [isinstance(reply, Rejected) for reply in replies] == [False, True, False, True]


async def test_two_callers_never_get_each_other_s_replies(wire: Wire) -> None:
    other = Channel(wire.connect)
    mine = asyncio.gather(*(wire.ask(f"mine {n}") for n in range(50)))
    others = asyncio.gather(*(other.ask(ask_for(f"other {n}"), PATIENCE) for n in range(50)))
    assert {reply.status for reply in await mine} == {f"mine {n}" for n in range(50)}
    assert {reply.status for reply in await others} == {f"other {n}" for n in range(50)}


async def test_a_caller_at_rest_costs_the_callee_nothing(wire: Wire) -> None:
    await asyncio.gather(*(wire.ask(str(n)) for n in range(20)))
    await wire.at_rest()
    assert not wire.exchange.callee._outboxes
    assert not wire.exchange.callee._tasks


async def test_the_replies_of_a_dead_caller_are_forgotten(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller that died while its request was running never comes to fetch the reply."""
    release = asyncio.Event()

    async def slow(request: RefundRequest) -> TicketReply:
        await release.wait()
        return TicketReply(request.order_id)

    callee = wire.serve(slow).callee
    request = (1, pack(ask_for("a")))
    _, replies = decode_batch(await callee(encode_batch(("dead", [request]))))
    assert not replies
    release.set()
    await asyncio.gather(*callee._tasks)
    monkeypatch.setattr(exchange, "FORGET_S", 0.0)
    await wire.ask("b")
    assert "dead" not in callee._outboxes
