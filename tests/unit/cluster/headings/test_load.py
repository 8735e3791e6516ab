"""The load generator counts what came back, and calls a wrong answer wrong."""

import asyncio
import math
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import repeat

import pytest

from cluster.headings import workloads
from cluster.headings.load import Labelled, Request, Result, http_request, percentile, run

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
ASK = http_request("GET", "/")


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[int]:
    """A server that reads heads of requests, and lets `answer` reply; gives its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                await reader.readuntil(b"\r\n\r\n")
                await answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the generator has closed
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def fine(writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


async def sent(answer: Answer, *requests: Request, connections: int = 1) -> Result:
    async with server(answer) as port:
        return await run(port, iter(requests), connections, seconds=60, lead=0)


async def test_every_right_answer_is_counted_and_has_a_latency() -> None:
    result = await sent(fine, *repeat((ASK, 200, b"fine"), 20), connections=4)
    assert (result.requests, result.counted, result.errors) == (20, 20, [])
    assert len(result.latencies) == 20


async def test_a_wrong_status_is_an_error() -> None:
    result = await sent(fine, (ASK, 201, b"fine"))
    assert len(result.errors) == 1
    assert "GET /" in result.errors[0]
    assert "200 OK" in result.errors[0]


async def test_a_body_without_the_needle_is_an_error_and_teaches_nothing() -> None:
    learnt: list[bytes] = []
    result = await sent(
        fine,
        Labelled(ASK, 200, b"else", learn=learnt.append),
        Labelled(ASK, 200, b"fine", learn=learnt.append),
    )
    assert len(result.errors) == 1
    assert learnt == [b"fine"]


async def test_an_answer_may_come_in_pieces() -> None:
    async def in_pieces(writer: asyncio.StreamWriter) -> None:
        for number in range(len(OK)):
            writer.write(OK[number : number + 1])
            await writer.drain()
            await asyncio.sleep(0)  # one turn of the loop: the piece is on its way

    result = await sent(in_pieces, *repeat((ASK, 200, b"fine"), 3))
    assert (result.requests, result.errors) == (3, [])


@pytest.mark.parametrize("part", [b"", OK[:30], OK[:-1]])
async def test_a_connection_that_is_lost_before_the_whole_answer_is_an_error(part: bytes) -> None:
    async def hang_up(writer: asyncio.StreamWriter) -> None:
        writer.write(part)
        writer.close()

    result = await sent(hang_up, *repeat((ASK, 200, b""), 5), connections=2)
    assert (result.requests, result.lost, len(result.errors)) == (0, 2, 2)
    assert "connection lost" in result.errors[0]


async def test_a_connection_that_an_answer_ends_is_opened_again_and_no_error() -> None:
    opened = 0

    async def fine_and_last(writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        writer.write(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        writer.close()

    result = await sent(fine_and_last, *repeat((ASK, 200, b"fine"), 7))
    assert (result.requests, result.lost, result.errors) == (7, 0, [])
    assert opened == 7


async def test_it_stops_by_itself_when_its_time_is_over() -> None:
    async with server(fine) as port:
        result = await run(port, repeat((ASK, 200, b"fine")), 3, seconds=0.05, lead=0)
    assert result.errors == []
    assert result.counted <= result.requests


async def test_it_stops_by_itself_when_no_answer_ever_comes() -> None:
    async def nothing(_: asyncio.StreamWriter) -> None:
        pass

    async with server(nothing) as port:
        result = await run(port, repeat((ASK, 200, b"")), 3, seconds=0, lead=1, grace=0)
    assert (result.requests, result.lost, len(result.errors)) == (0, 3, 3)


async def test_what_is_sent_while_a_run_begins_is_checked_but_does_not_count() -> None:
    async with server(fine) as port:
        result = await run(port, iter([(ASK, 500, b"")] * 4), 2, seconds=60, lead=60)
    assert (result.requests, result.counted, result.latencies) == (4, 0, [])
    assert len(result.errors) == 4
    assert result.rate == 0


async def test_latencies_are_kept_by_kind() -> None:
    kinds = ["read", "write", "read"]
    result = await sent(fine, *(Labelled(ASK, 200, b"fine", kind) for kind in kinds))
    assert {kind: len(values) for kind, values in result.by_kind.items()} == {"read": 2, "write": 1}
    assert pickle.loads(pickle.dumps(result)) == result


def test_percentiles_are_of_the_values_in_between() -> None:
    values = [float(value) for value in range(101)]
    assert percentile(values, 50) == pytest.approx(50)
    assert percentile(values, 99) == pytest.approx(99, abs=1)
    assert percentile([2.0, 4.0], 50) == pytest.approx(3)


def test_a_percentile_of_too_few_values_is_not_a_number() -> None:
    assert math.isnan(percentile([], 50))
    assert math.isnan(percentile([1.0], 99))


def answered(requests: Iterator[Request], count: int) -> list[Labelled]:
    """Take requests of a mix one by one, each answered before the next is made."""
    taken = []
    for number in range(count):
        request = next(requests)
        assert isinstance(request, Labelled)
        if request.learn is not None:
            request.learn(b'{"order_id":"placed-%d"}' % number)
        taken.append(request)
    return taken


def test_the_mix_has_its_shares() -> None:
    kinds = [request.kind for request in answered(workloads.mixed(["warm"]), 5000)]
    for kind, share in workloads.MIX.items():
        assert kinds.count(kind) / 50 == pytest.approx(share, abs=3), kind


def test_the_mix_never_uses_an_order_that_somebody_uses() -> None:
    """Requests that are never answered: no order comes back, so none may be seen twice."""
    mix = workloads.mixed(["warm"])
    answered(mix, 1000)
    used = [next(mix) for _ in range(1000)]
    touched = [
        bytes(request[0]).split(b"/")[2]
        for request in used
        if isinstance(request, Labelled) and request.kind in {workloads.BARISTA, workloads.CANCEL}
    ]
    assert touched
    assert len(touched) == len(set(touched))


def test_the_mix_presses_the_buttons_of_an_order_in_their_order() -> None:
    pressed: dict[bytes, list[bytes]] = {}
    for request in answered(workloads.mixed(["warm"]), 3000):
        if request.kind == workloads.BARISTA:
            _, _, order_id, action = request.data.split(b" ")[1].split(b"/")
            pressed.setdefault(order_id, []).append(action)
    whole = [b"start", b"ready", b"complete"]
    assert all(actions == whole[: len(actions)] for actions in pressed.values())
    assert whole in pressed.values()
