"""Who follows an order goes on from what was seen last, however the stream was interrupted."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from cluster.headings.site import Site
from cluster.headings.streams import Follower

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def event(version: int, status: str = "PLACED") -> bytes:
    text = f'event: order\ndata: {{"order_status":"{status}"}}\nid: {version}\n\n'.encode()
    return b"%x\r\n%s\r\n" % (len(text), text)


PING = b"8\r\n: ping\n\n\r\n"
LAST = event(7, "CANCELED")


class Elsewhere(Site):
    """A site that is a server of this test."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.token = None

    @property
    def port(self) -> int:
        return self._port


@asynccontextmanager
async def server(answers: Iterator[bytes], seen: list[str]) -> AsyncIterator[Site]:
    """A server that sends one answer a connection, and notes what was seen last."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        seen.append(head.partition("Last-Event-ID: ")[2].partition("\r")[0])
        writer.write(next(answers))
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Elsewhere(listening.sockets[0].getsockname()[1])
    finally:
        listening.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.headings.streams.AGAIN_S", 0)


async def followed(*answers: bytes) -> tuple[Follower, list[str]]:
    seen: list[str] = []
    async with server(iter(answers), seen) as site:
        follower = Follower(site, "o-1", b'"CANCELED"')
        await follower.follow()
    return follower, seen


async def test_a_stream_that_is_ended_goes_on_from_the_last_event() -> None:
    follower, seen = await followed(HEAD + event(2) + PING + event(4) + END, HEAD + PING + LAST)
    assert (follower.ended, follower.cut, follower.problems) == (1, 0, [])
    assert (seen, follower.version) == (["0", "4"], 7)


@pytest.mark.parametrize("part", [b"", HEAD, HEAD + event(4), HEAD + event(4) + event(5)[:-9]])
async def test_a_stream_that_is_cut_off_is_told_from_one_that_is_ended(part: bytes) -> None:
    follower, seen = await followed(part, HEAD + LAST + END)
    assert (follower.ended, follower.cut, follower.problems) == (0, 1, [])
    assert seen == ["0", "4" if event(4) in part else "0"]


@pytest.mark.parametrize("again", [event(4), event(3)])
async def test_what_was_told_before_is_a_problem(again: bytes) -> None:
    follower, _ = await followed(HEAD + event(4) + END, HEAD + again + LAST)
    assert len(follower.problems) == 1


async def test_a_refusal_is_a_problem_and_not_the_end() -> None:
    follower, _ = await followed(b"HTTP/1.1 503 Unavailable\r\n\r\n", HEAD + LAST)
    assert len(follower.problems) == 1
    assert follower.version == 7
