"""Whom a channel is connected to: looked for again, given up where silent, let in by its key."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError

from actors.contracts.errors import Unavailable
from actors.contracts.messages import TicketReply
from actors.runtime import rpc_client, rpc_server
from actors.runtime.rpc_link import Endpoint
from tests.support.wire import LOOPBACK, Callee, Wire, echo


@pytest.fixture
async def deaf() -> AsyncIterator[Endpoint]:
    """Where connections are taken, and nobody ever says a word."""
    server = await asyncio.start_server(lambda _reader, _writer: None, LOOPBACK, 0)
    yield Endpoint(LOOPBACK, server.sockets[0].getsockname()[1], b"key")
    server.close()


@pytest.mark.parametrize(
    "fault",
    [ActorUnavailableError("The actor is unavailable.", None), ActorDiedError()],
    ids=["unavailable", "died"],
)
async def test_an_actor_that_cannot_tell_where_it_listens_is_looked_up_again(
    patient_wire: Wire, fault: Exception
) -> None:
    patient_wire.callee.faults = [fault, fault]
    assert await patient_wire.ask("a") == TicketReply("a")
    assert patient_wire.connected == 3


async def test_an_address_where_nobody_listens_any_more_is_asked_for_again(wire: Wire) -> None:
    old = Callee(echo)
    endpoint = await old.server.endpoint()
    await old.stop_listening()
    wire.callee.faults = [endpoint]
    assert await wire.ask("a") == TicketReply("a")


async def test_a_peer_that_never_says_a_word_is_given_up(
    patient_wire: Wire, deaf: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is frozen takes connections, and no more."""
    monkeypatch.setattr(rpc_client, "CONNECT_S", 2)
    patient_wire.callee.faults = [deaf]
    assert await patient_wire.ask("a") == TicketReply("a")
    assert patient_wire.connected == 2


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


async def test_who_does_not_know_the_key_is_hung_up_on(patient_wire: Wire) -> None:
    """Ray gives the key to those who may ask the actor; the port alone opens nothing."""
    right = await patient_wire.callee.server.endpoint()
    patient_wire.callee.faults = [right._replace(key=bytes(32))]
    assert await patient_wire.ask("a") == TicketReply("a")
    assert patient_wire.connected == 2
    assert patient_wire.callee.handled == ["a"]


@pytest.mark.parametrize("sent", [b"\xff" * 64, b"\x00\x00\x00\x03GET"], ids=["length", "no key"])
async def test_a_stranger_s_bytes_end_the_connection_only(wire: Wire, sent: bytes) -> None:
    host, port, _ = await wire.callee.server.endpoint()
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(sent)
    assert await reader.read() == b""
    writer.close()
    assert await wire.ask("a") == TicketReply("a")


@pytest.mark.parametrize(
    "error",
    [ValueError("no actor of this name"), RuntimeError("the control plane is away")],
    ids=["missing", "unexpected"],
)
async def test_an_actor_that_cannot_be_reached_yet_is_tried_again_without_a_flood(
    patient_wire: Wire, error: Exception
) -> None:
    patient_wire.missing = [error] * 3
    assert await patient_wire.ask("a") == TicketReply("a")
    assert patient_wire.connected == 4


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


async def test_what_waited_while_a_callee_stood_still_is_begun_only_where_it_is_still_wanted(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its caller may have asked the callee's successor meanwhile, and may have been refused."""
    monkeypatch.setattr(rpc_server, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(rpc_server, "STANDSTILL_S", 0.3)
    await wire.ask("before")
    given_up = asyncio.create_task(wire.ask("given up", timeout=0.2))
    wanted = asyncio.create_task(wire.ask("wanted"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # sent, and not received
    time.sleep(0.5)  # noqa: ASYNC251 - the loop stands still, as the process does
    with pytest.raises(Unavailable):
        await given_up
    assert await wanted == TicketReply("wanted")
    assert wire.callee.handled == ["before", "wanted"]
