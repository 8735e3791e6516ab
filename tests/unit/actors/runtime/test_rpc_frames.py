"""Frames that nobody of ours would send: the connection ends, and everybody else is served."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.contracts.errors import Unavailable
from actors.contracts.messages import OrderReply, RefundRequest, TicketReply
from actors.runtime.message_codec import pack, unpack
from actors.runtime.rpc_client import RpcClient
from actors.runtime.rpc_link import (
    HEADER,
    KEY_BYTES,
    LARGEST_MESSAGE,
    NO_FRAMES,
    Endpoint,
    Frame,
    decode_frames,
    encode_frames,
)
from actors.runtime.rpc_server import RpcServer
from tests.support.waiting import until

LOOPBACK = "127.0.0.1"
PATIENCE_S = 30.0
REQUEST = pack(RefundRequest("o-1", 1))
LARGE, MANY = 100_000, 300

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Callee:
    """An actor that answers; `handled` counts what it was asked."""

    def __init__(self) -> None:
        self.handled = 0
        self.server = RpcServer(self._handle, LOOPBACK)
        self.endpoint = self  # what a client sees of an actor's handle

    async def remote(self) -> Endpoint:
        return await self.server.endpoint()

    async def _handle(self, request: RefundRequest) -> TicketReply | OrderReply:
        self.handled += 1
        if len(request.order_id) < LARGE:
            return TicketReply(request.order_id)
        detail = request.order_id.encode()
        return OrderReply(detail, 1, "PLACED", settled=True, replayed=False, attempt=None)

    async def welcome(self) -> Streams:
        """Connect as somebody who knows the key."""
        host, port, key = await self.server.endpoint()
        reader, writer = await asyncio.open_connection(host, port)
        send(writer, key)
        assert await received(reader) == NO_FRAMES
        return reader, writer


def send(writer: asyncio.StreamWriter, message: bytes) -> None:
    writer.write(len(message).to_bytes(HEADER) + message)


async def received(reader: asyncio.StreamReader) -> bytes:
    length = int.from_bytes(await reader.readexactly(HEADER))
    return await reader.readexactly(length)


async def next_frames(reader: asyncio.StreamReader) -> list[Frame]:
    """Return the next frames, past signs of life."""
    while not (frames := decode_frames(await received(reader))):
        pass
    return frames


@pytest.fixture
async def callee() -> AsyncIterator[Callee]:
    callee = Callee()
    async with asyncio.timeout(PATIENCE_S):
        yield callee


async def is_served(callee: Callee) -> bool:
    reply = await RpcClient(lambda: callee).ask(RefundRequest("o-1", 1), PATIENCE_S)
    return bool(reply == TicketReply("o-1"))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xc1",
        b"GET / HTTP/1.1\r\n\r\n",
        encode_frames([(1, REQUEST)])[:-1],
        encode_frames([(1, REQUEST)]) + b"\x00",
        encode_frames({"1": REQUEST}),
        encode_frames([(1,)]),
        encode_frames([("1", REQUEST)]),
        encode_frames([(1, "no bytes")]),
    ],
)
async def test_what_is_no_list_of_frames_ends_the_connection(
    callee: Callee, message: bytes
) -> None:
    reader, writer = await callee.welcome()
    send(writer, message)
    assert await reader.read() == b""
    writer.close()
    assert await is_served(callee)
    assert callee.handled == 1


@pytest.mark.parametrize("length", [LARGEST_MESSAGE + 1, 2**32 - 1])
async def test_a_message_that_claims_to_be_too_long_is_not_waited_for(
    callee: Callee, length: int
) -> None:
    reader, writer = await callee.welcome()
    writer.write(length.to_bytes(HEADER))
    assert await reader.read() == b""
    writer.close()
    assert await is_served(callee)


async def test_a_stranger_s_key_may_be_no_longer_than_ours(callee: Callee) -> None:
    host, port, _ = await callee.server.endpoint()
    reader, writer = await asyncio.open_connection(host, port)
    writer.write((KEY_BYTES + 1).to_bytes(HEADER))
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("request_", [b"", b"\xc1", msgspec.msgpack.encode({"type": "Nonsense"})])
async def test_a_request_that_is_none_fails_alone(callee: Callee, request_: bytes) -> None:
    reader, writer = await callee.welcome()
    send(writer, encode_frames([(1, request_), (2, REQUEST)]))
    replies: dict[int, Any] = {}
    while len(replies) < 2:
        replies |= {number: unpack(data) for number, data in await next_frames(reader)}
    assert isinstance(replies[1], Unavailable)
    assert replies[1].code == "internal_error"
    assert replies[2] == TicketReply("o-1")
    writer.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(sent=st.binary(max_size=200))
async def test_any_bytes_harm_nobody_else(callee: Callee, sent: bytes) -> None:
    reader, writer = await callee.welcome()
    writer.write(sent)
    writer.write_eof()
    await reader.read()  # until it hangs up
    writer.close()
    assert await is_served(callee)


@pytest.mark.parametrize(
    "message", [b"\xc1", encode_frames([(1, b"\xc1")])[:-2], encode_frames({"a": 1})]
)
async def test_a_caller_leaves_whoever_answers_with_no_frames_and_asks_again(
    callee: Callee, message: bytes
) -> None:
    """As if what answers there were no actor of ours."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await received(reader)
        send(writer, NO_FRAMES)
        await received(reader)
        send(writer, message)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    endpoints = [Endpoint(LOOPBACK, port, bytes(KEY_BYTES)), await callee.server.endpoint()]

    class Handle:
        endpoint: Any

        async def remote(self) -> Endpoint:
            return endpoints.pop(0)

    handle = Handle()
    handle.endpoint = handle
    reply = await RpcClient(lambda: handle).ask(RefundRequest("o-1", 1), PATIENCE_S)
    assert reply == TicketReply("o-1")
    assert endpoints == []
    server.close()


async def test_a_reply_to_a_question_that_nobody_asked_is_nobody_s(callee: Callee) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await received(reader)
        send(writer, NO_FRAMES)
        ((number, _),) = decode_frames(await received(reader))
        send(writer, encode_frames([(number + 1, pack(TicketReply("not mine")))]))
        send(writer, encode_frames([(number, pack(TicketReply("mine")))]))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]

    class Handle:
        endpoint: Any

        async def remote(self) -> Endpoint:
            return Endpoint(LOOPBACK, port, bytes(KEY_BYTES))

    handle = Handle()
    handle.endpoint = handle
    client = RpcClient(lambda: handle)
    assert await client.ask(RefundRequest("o-1", 1), PATIENCE_S) == TicketReply("mine")
    assert callee.handled == 0
    server.close()


async def test_who_reads_no_replies_gets_no_more_done_until_they_are_read(callee: Callee) -> None:
    reader, writer = await callee.welcome()

    async def ask_on() -> None:
        for number in range(MANY):
            request = pack(RefundRequest(f"{number:03}".ljust(LARGE, "x"), 1))
            send(writer, encode_frames([(number, request)]))
            await writer.drain()

    asking = asyncio.create_task(ask_on())
    (link,) = callee.server._callers
    await until(lambda: link._transport is not None and not link._transport.is_reading())
    assert 0 < callee.handled < MANY
    assert await is_served(callee)

    answered: set[int] = set()
    while len(answered) < MANY:
        answered |= {number for number, _ in await next_frames(reader)}
    await asking
    assert callee.handled == MANY + 1
    writer.close()
