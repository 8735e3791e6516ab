"""Requests and replies between two actors: batched, repeated when lost, never in each other's way.

No Ray here: a stand-in for the actor's handle tells where the callee listens, on a real socket.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError

from actors.contracts.errors import Rejected, Unavailable
from actors.contracts.messages import Message, RefundRequest, TicketReply
from actors.runtime import replacing, rpc_client, rpc_link, rpc_server
from actors.runtime.rpc_client import RpcClient
from actors.runtime.rpc_link import Endpoint
from actors.runtime.rpc_server import RpcServer
from actors.runtime.sqlite_connections import BUSY_TIMEOUT_S

PATIENCE = 30.0
LOOPBACK = "127.0.0.1"
Handle = Callable[[RefundRequest], Awaitable[Message]]


def ask_for(order_id: str) -> RefundRequest:
    return RefundRequest(order_id, 1)


async def echo(request: RefundRequest) -> TicketReply:
    return TicketReply(request.order_id)


class Callee:
    """What a channel sees of an actor: where it listens. `faults` come instead, one each time."""

    def __init__(self, handle: Handle) -> None:
        self.handled: list[str] = []
        self.faults: list[Exception | Endpoint] = []
        self._handle = handle
        self.server = RpcServer(self._observed, LOOPBACK)
        self.endpoint = self

    async def remote(self) -> Endpoint:
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        return fault or await self.server.endpoint()

    async def _observed(self, request: RefundRequest) -> Message:
        self.handled.append(request.order_id)
        return await self._handle(request)

    def cut(self) -> None:
        """Cut all connections, as the death of the process does."""
        for link in list(self.server._callers):
            link.abort()

    async def stop_listening(self) -> None:
        self.cut()
        if self.server._listening is not None:
            server = await self.server._listening
            server.close()
            await server.wait_closed()


class Wire:
    """A channel and the actor at its other end."""

    def __init__(self) -> None:
        self.channel = RpcClient(self.connect)
        self.connected = 0
        self.callees: list[Callee] = []
        self.missing: list[Exception] = []
        self.serve(echo)

    @property
    def callee(self) -> Callee:
        return self.callees[-1]

    def serve(self, handle: Handle) -> Callee:
        self.callees.append(Callee(handle))
        return self.callee

    def connect(self) -> Any:
        self.connected += 1
        if self.missing:
            raise self.missing.pop(0)
        return self.callee

    async def ask(self, order_id: str, timeout: float = PATIENCE) -> Any:
        return await self.channel.ask(ask_for(order_id), timeout)


@pytest.fixture
async def wire(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wire]:
    for side in (rpc_client, rpc_server):
        monkeypatch.setattr(side, "HEARTBEAT_S", 0.02)
        monkeypatch.setattr(side, "CONNECT_S", 0.3)
    monkeypatch.setattr(replacing, "SILENCE_S", 0.3)
    wire = Wire()
    yield wire
    for callee in wire.callees:
        await callee.stop_listening()


@pytest.fixture
async def deaf() -> AsyncIterator[Endpoint]:
    """Where connections are taken, and nobody ever says a word."""
    server = await asyncio.start_server(lambda _reader, _writer: None, LOOPBACK, 0)
    yield Endpoint(LOOPBACK, server.sockets[0].getsockname()[1], b"key")
    server.close()


async def test_a_request_gets_its_reply(wire: Wire) -> None:
    assert await wire.ask("a") == TicketReply("a")


async def test_a_second_request_uses_the_connection_of_the_first(wire: Wire) -> None:
    await wire.ask("a")
    await wire.ask("b")
    assert wire.connected == 1


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


@pytest.mark.parametrize(
    "fault",
    [ActorUnavailableError("The actor is unavailable.", None), ActorDiedError()],
    ids=["unavailable", "died"],
)
async def test_an_actor_that_cannot_tell_where_it_listens_is_looked_up_again(
    wire: Wire, fault: Exception
) -> None:
    wire.callee.faults = [fault, fault]
    assert await wire.ask("a") == TicketReply("a")
    assert wire.connected == 3


async def test_an_address_where_nobody_listens_any_more_is_asked_for_again(wire: Wire) -> None:
    old = Callee(echo)
    endpoint = await old.server.endpoint()
    await old.stop_listening()
    wire.callee.faults = [endpoint]
    assert await wire.ask("a") == TicketReply("a")


async def test_a_peer_that_never_says_a_word_is_given_up(wire: Wire, deaf: Endpoint) -> None:
    """A process that is frozen takes connections, and no more."""
    wire.callee.faults = [deaf]
    assert await wire.ask("a") == TicketReply("a")
    assert wire.connected == 2


async def test_a_connection_that_is_not_welcomed_is_closed(wire: Wire) -> None:
    """A frozen process takes connections: what was given up must not pile up there."""
    closed = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass
        writer.close()
        closed.set()

    server = await asyncio.start_server(listen, LOOPBACK, 0)
    wire.callee.faults = [Endpoint(LOOPBACK, server.sockets[0].getsockname()[1], b"key")]
    assert await wire.ask("a") == TicketReply("a")
    async with asyncio.timeout(10):
        await closed.wait()
    server.close()


async def test_who_says_nothing_is_hung_up_on(wire: Wire) -> None:
    host, port, _ = await wire.callee.server.endpoint()
    reader, writer = await asyncio.open_connection(host, port)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_a_port_that_cannot_be_had_is_tried_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    callee = Callee(echo)
    loop = asyncio.get_running_loop()
    original = loop.create_server

    async def refused(*_: object, **__: object) -> Any:
        monkeypatch.setattr(loop, "create_server", original)
        raise OSError("no port is free")

    monkeypatch.setattr(loop, "create_server", refused)
    with pytest.raises(OSError, match="no port"):
        await callee.server.endpoint()
    assert (await callee.server.endpoint()).port
    await callee.stop_listening()


def test_a_service_that_waits_for_its_database_does_not_count_as_hung() -> None:
    assert replacing.SILENCE_S > BUSY_TIMEOUT_S + rpc_link.HEARTBEAT_S


async def test_who_does_not_know_the_key_is_hung_up_on(wire: Wire) -> None:
    """Ray gives the key to those who may ask the actor; the port alone opens nothing."""
    right = await wire.callee.server.endpoint()
    wire.callee.faults = [right._replace(key=bytes(32))]
    assert await wire.ask("a") == TicketReply("a")
    assert wire.connected == 2
    assert wire.callee.handled == ["a"]


@pytest.mark.parametrize("sent", [b"\xff" * 64, b"\x00\x00\x00\x03GET"], ids=["length", "no key"])
async def test_a_stranger_s_bytes_end_the_connection_only(wire: Wire, sent: bytes) -> None:
    host, port, _ = await wire.callee.server.endpoint()
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(sent)
    assert await reader.read() == b""
    writer.close()
    assert await wire.ask("a") == TicketReply("a")


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
    while wire.channel._link is not None:  # noqa: ASYNC110 - the channel tells nobody
        await asyncio.sleep(0.01)
    monkeypatch.undo()
    assert await reply == TicketReply("a")
    assert wire.connected >= 2


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
    callee = wire.serve(never)
    with pytest.raises(Unavailable, match="no_reply"):
        await wire.ask("a", timeout=0.1)
    assert not wire.channel._unanswered
    release.set()
    await asyncio.gather(*callee.server._tasks)
    assert callee.handled == ["a"]


async def test_a_channel_rests_once_everybody_gave_up(wire: Wire) -> None:
    """What was to be repeated for somebody who left must not keep the channel turning."""
    wire.missing = [ValueError("missing")] * 20
    with pytest.raises(Unavailable):
        await wire.ask("a", timeout=0.05)
    connecting = wire.channel._connecting
    assert connecting is not None
    await connecting
    wire.missing = []
    assert await wire.ask("b") == TicketReply("b")
    assert wire.callee.handled == ["b"]


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
    while callee.server._callers:  # noqa: ASYNC110 - the callee tells nobody
        await asyncio.sleep(0)
    assert wire.channel._connecting is None, "nobody waits, so nobody connects"
