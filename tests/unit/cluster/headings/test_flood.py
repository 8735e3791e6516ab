"""Customers who come at a rate, and some who give up, at a server that is as slow as is asked."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import repeat

from cluster.headings.flood import flood
from cluster.headings.hogs import idle_streams, slow_bodies
from cluster.headings.load import Labelled, Request, http_request
from cluster.headings.site import Site

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"
BUSY = b"HTTP/1.1 503 Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
RUDE = b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n"
Answer = Callable[[], bytes | None]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[int]:
    """Answer each request so; None is no answer at all."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                said = answer()
                if said is None:
                    await reader.read()
                    break
                writer.write(said)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1]


def asked() -> Iterator[Request]:
    return repeat(Labelled(http_request("GET", "/"), 200, b"done"))


async def test_right_answers_and_refusals_are_told_apart() -> None:
    answers = iter([OK, BUSY, RUDE, b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"])
    async with server(lambda: next(answers, OK)) as port:
        seen = await flood(port, asked(), 50, 0.5, lead=0)
    assert (seen.refused, seen.impolite, len(seen.wrong), seen.left) == (2, 1, 1, 0)
    assert seen.good == seen.sent - 3 > 0
    assert len(seen.took) == seen.good


async def test_customers_come_however_many_are_waiting_and_leave_when_they_give_up() -> None:
    async with server(lambda: None) as port:
        seen = await flood(port, asked(), 200, 0.5, patience=0.05, lead=0)
    assert seen.sent == seen.left > 20
    assert (seen.good, seen.wrong) == (0, [])


async def test_a_lost_connection_is_wrong() -> None:
    async with server(lambda: b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Le") as port:
        seen = await flood(port, asked(), 50, 0.2, patience=0.3, lead=0)
    assert seen.good == 0
    assert seen.left + len(seen.wrong) == seen.sent > 0


class Here(Site):
    """What stands in for a system: its port."""

    def __init__(self, port: int) -> None:
        self.token = "token"
        self._port = port

    @property
    def port(self) -> int:
        return self._port


async def test_streams_are_held_as_long_as_the_block_lasts() -> None:
    answers = iter([b"HTTP/1.1 200 OK\r\n\r\n: ping\n\n"] * 5)
    async with server(lambda: next(answers, BUSY)) as port:
        async with idle_streams(Here(port), "o-1", 8) as hogs:
            assert hogs.statuses == {200: 5, 503: 3}
            assert hogs.impolite == 0
            assert len(hogs.here) == 8
        await asyncio.sleep(0)


async def test_who_sends_slowly_and_is_cut_off_comes_again() -> None:
    came = 0

    def cut_off() -> bytes | None:
        nonlocal came
        came += 1
        return None if came > 3 else BUSY

    async with server(cut_off) as port, slow_bodies(Here(port), 3) as hogs:
        await hogs.are_answered(3)
        assert hogs.statuses == {503: 3}
