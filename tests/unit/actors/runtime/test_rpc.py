"""Requests and replies between two actors: batched, repeated when lost, never in each other's way.

No Ray here: a stand-in for the actor's handle tells where the callee listens, on a real socket.
"""

import asyncio

import pytest

from actors.contracts.errors import Rejected, Unavailable
from actors.contracts.messages import RefundRequest, TicketReply
from actors.runtime import replacing, rpc_link
from actors.runtime.rpc_client import RpcClient
from actors.runtime.sqlite_connections import BLOCKED_S
from actors.runtime.waits import Waits
from tests.support.waiting import until
from tests.support.wire import PATIENCE, Wire, ask_for, echo


async def test_a_request_gets_its_reply(wire: Wire) -> None:
    assert await wire.ask("a") == TicketReply("a")


async def test_a_second_request_uses_the_connection_of_the_first(patient_wire: Wire) -> None:
    await patient_wire.ask("a")
    await patient_wire.ask("b")
    assert patient_wire.connected == 1


async def test_many_requests_travel_together(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    await wire.ask("the first connects")
    messages = 0
    original = rpc_link.Link.write

    def write(link: rpc_link.Link, message: bytes) -> None:
        nonlocal messages
        messages += 1
        original(link, message)

    monkeypatch.setattr(rpc_link.Link, "write", write)
    replies = await asyncio.gather(*(wire.ask(str(n)) for n in range(200)))
    assert [reply.status for reply in replies] == [str(n) for n in range(200)]
    assert messages < 10, "requests and replies, in batches"


async def test_a_slow_request_holds_up_nobody(wire: Wire) -> None:
    """No head-of-line blocking: the slow one is answered last although it was asked first."""
    release = asyncio.Event()

    async def handle(request: RefundRequest) -> TicketReply:
        if request.order_id == "slow":
            await release.wait()
        return TicketReply(request.order_id)

    callee = wire.serve(handle)
    slow = asyncio.ensure_future(wire.ask("slow"))
    for n in range(20):
        assert await wire.ask(f"fast {n}") == TicketReply(f"fast {n}")
    assert not slow.done()
    release.set()
    assert await slow == TicketReply("slow")
    assert len(callee.handled) == 21, "nothing was sent twice"


async def test_a_request_that_takes_longer_than_a_silence_is_not_repeated(wire: Wire) -> None:
    """The callee says that it lives for as long as it works."""
    beats = asyncio.Semaphore(0)

    async def slow(request: RefundRequest) -> TicketReply:
        for _ in range(30):
            await beats.acquire()
        return TicketReply(request.order_id)

    callee = wire.serve(slow)
    original = wire.channel._received

    def heard(link: rpc_link.Link, message: bytes) -> None:
        beats.release()
        original(link, message)

    wire.channel._received = heard  # type: ignore[method-assign]
    assert await wire.ask("slow") == TicketReply("slow")
    assert callee.handled == ["slow"]


def test_a_service_that_opens_its_database_does_not_count_as_hung() -> None:
    assert replacing.SILENCE_S > BLOCKED_S + 2 * rpc_link.HEARTBEAT_S


async def test_what_was_under_way_when_the_callee_died_is_asked_again(wire: Wire) -> None:
    taken_on = asyncio.Event()

    async def dies_with_it(_request: RefundRequest) -> TicketReply:
        taken_on.set()
        await asyncio.Event().wait()
        raise AssertionError

    old = wire.serve(dies_with_it)
    reply = asyncio.ensure_future(wire.ask("a"))
    await taken_on.wait()
    wire.serve(echo)
    old.cut()
    assert await reply == TicketReply("a")
    for task in old.server._tasks:
        task.cancel()


async def test_a_lost_reply_is_asked_for_again(wire: Wire) -> None:
    async def cut_the_first_time(request: RefundRequest) -> TicketReply:
        if len(callee.handled) == 1:
            callee.cut()
        return TicketReply(request.order_id)

    callee = wire.serve(cut_the_first_time)
    assert await wire.ask("a") == TicketReply("a")
    assert callee.handled == ["a", "a"]


async def test_a_callee_that_falls_silent_is_asked_again(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs in the middle of its work: no reply, no heartbeat, and the connection stands."""
    await wire.ask("connected")
    monkeypatch.setattr(rpc_link.Link, "write", lambda _link, _message: None)
    reply = asyncio.ensure_future(wire.ask("a"))
    await until(lambda: wire.channel._link is None)
    monkeypatch.undo()
    assert await reply == TicketReply("a")
    assert wire.connected >= 2


async def test_who_waited_long_enough_hears_that_the_outcome_is_unknown(wire: Wire) -> None:
    async def never(_request: RefundRequest) -> TicketReply:
        await release.wait()
        return TicketReply("late")

    release = asyncio.Event()
    callee = wire.serve(never)
    with pytest.raises(Unavailable, match="no_reply"):
        await wire.ask("a", timeout=0.1)
    assert not wire.channel._unanswered
    release.set()
    await asyncio.gather(*callee.server._tasks)
    assert callee.handled == ["a"]


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


async def test_one_refusal_does_not_spoil_the_others_in_its_batch(wire: Wire) -> None:
    async def refuse_odd(request: RefundRequest) -> TicketReply:
        if int(request.order_id) % 2:
            raise Rejected("odd", "")
        return TicketReply(request.order_id)

    wire.serve(refuse_odd)
    replies = await asyncio.gather(*(wire.ask(str(n)) for n in range(4)), return_exceptions=True)
    assert [isinstance(reply, Rejected) for reply in replies] == [False, True, False, True]


async def test_two_callers_never_get_each_other_s_replies(wire: Wire) -> None:
    other = RpcClient(wire.connect)
    mine = asyncio.gather(*(wire.ask(f"mine {n}") for n in range(50)))
    others = asyncio.gather(*(other.ask(ask_for(f"other {n}"), PATIENCE) for n in range(50)))
    assert {reply.status for reply in await mine} == {f"mine {n}" for n in range(50)}
    assert {reply.status for reply in await others} == {f"other {n}" for n in range(50)}


async def test_a_dead_caller_leaves_nothing_behind(wire: Wire) -> None:
    """A caller that died while its request was running never hears the reply."""
    taken_on, release = asyncio.Event(), asyncio.Event()

    async def slow(request: RefundRequest) -> TicketReply:
        taken_on.set()
        await release.wait()
        return TicketReply(request.order_id)

    callee = wire.serve(slow)
    asking = asyncio.ensure_future(wire.ask("a"))
    await taken_on.wait()
    asking.cancel()
    assert wire.channel._link is not None
    wire.channel._link.abort()
    release.set()
    await asyncio.gather(*callee.server._tasks)
    await until(lambda: not callee.server._callers)
    assert wire.channel._connecting is None, "nobody waits, so nobody connects"


async def test_requests_of_which_none_is_answered_are_told_unless_they_wait_for_something(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.runtime.rpc_server.PATIENCE_S", 0.05)

    async def never(_request: RefundRequest) -> TicketReply:
        await asyncio.Event().wait()
        raise AssertionError

    server = wire.serve(never).server
    assert server.stalled() is None
    asked = asyncio.ensure_future(wire.ask("a"))
    await until(lambda: server.stalled() is not None)
    waits = Waits()
    monkeypatch.setattr("actors.runtime.waits.SLOW_S", 0.0)
    with waits.up_to(60):
        assert server.stalled(waits) is None
    asked.cancel()
