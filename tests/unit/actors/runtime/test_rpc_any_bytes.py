"""Whatever bytes come, before the key or after it, an actor serves others and tells no secret."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.contracts.errors import Unavailable
from actors.contracts.messages import TicketReply
from actors.runtime.message_codec import pack
from actors.runtime.rpc_client import RpcClient
from actors.runtime.rpc_link import (
    HEADER,
    KEY_BYTES,
    NO_FRAMES,
    Endpoint,
    encode_frames,
)
from tests.support.wire import LOOPBACK, PATIENCE, Callee, ask_for, echo

pytestmark = pytest.mark.asyncio(loop_scope="module")

TURNS = 20
"""Of the event loop: in these what was sent is read, carried out and answered."""
FEWER = settings(max_examples=settings().max_examples // 5)
"""Where each has to wait for a pause before a caller tries again."""
NUMBERS = st.integers(-(2**63), 2**64 - 1)
REQUESTS = st.just(pack(ask_for("o-1"))) | st.binary(max_size=40)
GOOD = st.lists(st.tuples(NUMBERS, REQUESTS), max_size=4).map(encode_frames)


def message(content: bytes) -> bytes:
    return len(content).to_bytes(HEADER) + content


@st.composite
def damaged(draw: st.DrawFn, good: st.SearchStrategy[bytes]) -> bytes:
    """Return bytes of which some are cut off, put in or changed: length, frames or requests."""
    data = bytearray(draw(good))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(data[: draw(st.integers(0, len(data)) | st.just(len(data)))])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def callee() -> AsyncIterator[Callee]:
    callee = Callee(echo)
    yield callee
    await callee.stop_listening()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bystander(callee: Callee) -> RpcClient:
    """Somebody else, who has had a connection from the beginning."""
    return RpcClient(lambda: callee)


async def answered(callee: Callee, sent: bytes, *, known: bool) -> bytes:
    """Return all that comes back until the connection ends, which whoever sends half closes."""
    host, port, key = await callee.server.endpoint()
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write((message(key) if known else b"") + sent)
        for _ in range(TURNS):
            await asyncio.sleep(0)
        writer.write_eof()
        came = b""
        with suppress(ConnectionError):  # it hangs up with bytes unread
            while piece := await reader.read(2**16):
                came += piece
        writer.close()
    return came


async def is_served(bystander: RpcClient) -> bool:
    return bool(await bystander.ask(ask_for("mine"), PATIENCE) == TicketReply("mine"))


@given(data=st.data())
async def test_who_has_not_the_key_hears_nothing(
    callee: Callee, bystander: RpcClient, data: st.DataObject
) -> None:
    key = (await callee.server.endpoint()).key
    nearly = st.integers(0, KEY_BYTES - 1).map(
        lambda at: key[:at] + bytes([key[at] ^ 1]) + key[at + 1 :]
    )
    keys = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES) | nearly | st.just(key[:-1])
    wrong = st.tuples(keys.map(message), GOOD.map(message)).map(b"".join)
    sent = data.draw(wrong | st.binary(max_size=80) | st.just(message(key + b"x")))
    asked = len(callee.handled)
    assert await answered(callee, sent, known=False) == b""
    assert len(callee.handled) == asked
    assert await is_served(bystander)


@given(sent=damaged(st.lists(GOOD.map(message), max_size=3).map(b"".join)) | st.binary(max_size=80))
async def test_who_has_the_key_and_sends_anything_harms_nobody_and_learns_nothing(
    callee: Callee, bystander: RpcClient, sent: bytes
) -> None:
    came = await answered(callee, sent, known=True)
    assert came == b"" or came.startswith(message(NO_FRAMES))
    assert callee.server._key not in came
    assert b"Traceback" not in came
    assert await is_served(bystander)


@settings(FEWER)
@given(data=st.data())
async def test_a_caller_that_is_answered_with_anything_asks_again_elsewhere(
    callee: Callee, data: st.DataObject
) -> None:
    """As if what answers were no actor of ours, or one of another version."""
    reply = pack(TicketReply("o-1"))
    replies = st.lists(st.tuples(NUMBERS, REQUESTS | st.just(reply)), max_size=3).map(encode_frames)
    said = data.draw(damaged(replies.map(message)) | st.binary(max_size=40))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readexactly(HEADER + KEY_BYTES)
            writer.write(message(NO_FRAMES))
            await reader.read(1)  # its question
            writer.write(said)
            writer.write_eof()
            await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, LOOPBACK, 0) as server:
        port = server.sockets[0].getsockname()[1]
        callee.faults.append(Endpoint(LOOPBACK, port, bytes(KEY_BYTES)))
        client = RpcClient(lambda: callee)
        with suppress(Unavailable):  # what bears its request's number is taken for the answer
            await client.ask(ask_for("o-1"), PATIENCE)
        assert await is_served(client)
