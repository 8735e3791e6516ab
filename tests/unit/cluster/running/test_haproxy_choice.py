"""Which replica HAProxy sends a request to, with the configuration that it runs with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import httpx
import pytest

from cluster.running.haproxy_backends import FEW_REQUESTS
from cluster.running.haproxy_config import most_streams
from tests.support.haproxy import PATIENCE, in_front_of


class Replica:
    """Answers with its name: at once, or once it is told to where the address says `holds`."""

    def __init__(self, name: str, holding: asyncio.Semaphore) -> None:
        self.name = name
        self.port = 0
        self.holds = "held"
        self.held: list[str] = []
        self.takes: int | None = None
        """How many commands it says that it takes."""
        self.holding = holding
        self.release = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connected: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._connected:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connected.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                address = head.split(b" ")[1].decode()
                if self.holds in address:
                    self.held.append(address)
                    self.holding.release()
                    await self.release.wait()
                body = self.name.encode()
                takes = b"" if self.takes is None else b"X-Siren-Takes: %d\r\n" % self.takes
                length = len(body)
                writer.write(
                    b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (takes, length, body)
                )
                await writer.drain()
        writer.close()


@pytest.fixture
async def replicas() -> AsyncIterator[list[Replica]]:
    holding = asyncio.Semaphore(0)
    both = [Replica("one", holding), Replica("two", holding)]
    async with AsyncExitStack() as stack:
        for replica in both:
            await replica.start()
            stack.push_async_callback(replica.stop)
            stack.callback(replica.release.set)
        yield both


@pytest.fixture
async def front(replicas: list[Replica], tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """HAProxy in front of the replicas."""
    async with in_front_of({each.name: each.port for each in replicas}, tmp_path) as client:
        yield client


async def test_few_requests_go_to_one_replica(front: httpx.AsyncClient) -> None:
    assert {(await front.get("/")).text for _ in range(20)} == {"one"}


async def test_many_at_a_time_go_to_all_of_them(
    front: httpx.AsyncClient, replicas: list[Replica]
) -> None:
    many = 4 * FEW_REQUESTS
    waiting = [asyncio.create_task(front.post("/held")) for _ in range(many)]
    await _hold(many, replicas)
    assert [len(replica.held) for replica in replicas] == [many // 2, many // 2]
    for replica in replicas:
        replica.release.set()
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}


async def test_one_that_does_not_answer_is_soon_left_alone(
    front: httpx.AsyncClient, replicas: list[Replica]
) -> None:
    waiting = [asyncio.create_task(front.post("/held")) for _ in range(FEW_REQUESTS)]
    await _hold(FEW_REQUESTS, replicas)
    assert {(await front.get("/")).text for _ in range(20)} == {"two"}
    replicas[0].release.set()
    await asyncio.gather(*waiting)


async def test_where_the_first_one_is_gone_the_other_answers(
    front: httpx.AsyncClient, replicas: list[Replica]
) -> None:
    await replicas[0].stop()
    assert {(await front.get("/")).text for _ in range(20)} == {"two"}


async def test_a_read_that_its_replica_does_not_answer_is_answered_by_another(
    front: httpx.AsyncClient, replicas: list[Replica]
) -> None:
    replicas[1].release.set()
    many = [asyncio.create_task(front.get("/held")) for _ in range(2 * FEW_REQUESTS)]
    assert {(await read).text for read in many} == {"two"}
    assert len(replicas[0].held) == FEW_REQUESTS


async def test_one_that_left_a_read_to_another_is_left_alone(
    front: httpx.AsyncClient, replicas: list[Replica]
) -> None:
    replicas[1].release.set()
    await front.get("/held")
    for method in ("HEAD", "GET", "POST"):
        assert (await front.request(method, "/held")).headers["content-length"] == "3"
    assert replicas[0].held == ["/held"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/held"),
        ("GET", "/held/stream"),
        ("GET", "/readyz?held"),
        ("GET", "/order-details?store_id=held&order_status=CANCELED"),
        ("GET", "/payments?status=held&limit=5"),
    ],
)
async def test_what_may_take_long_is_left_with_its_replica(
    front: httpx.AsyncClient, replicas: list[Replica], method: str, path: str
) -> None:
    waiting = asyncio.create_task(front.request(method, path, headers={"Idempotency-Key": "one"}))
    await _hold(1, replicas)
    read = asyncio.create_task(front.get("/held/read"))
    await _hold(2, replicas)  # the second time, it has been given up once
    for replica in replicas:
        replica.release.set()
    assert (await waiting).status_code == (await read).status_code == 200
    held = [each for replica in replicas for each in replica.held]
    assert sorted(held) == sorted([path, "/held/read", "/held/read"])


async def _hold(requests: int, replicas: list[Replica]) -> None:
    """Wait until so many requests are with the replicas."""
    async with asyncio.timeout(PATIENCE):
        for _ in range(requests):
            await replicas[0].holding.acquire()


async def test_streams_leave_connections_to_all_others_and_the_next_one_comes_again(
    replicas: list[Replica], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as there may be with the fewest files that HAProxy is run with."""
    monkeypatch.setattr("tests.support.haproxy.FILES", 0)
    most = most_streams(0)
    many = httpx.Limits(max_connections=None)
    async with in_front_of({each.name: each.port for each in replicas}, tmp_path) as client:
        async with httpx.AsyncClient(base_url=client.base_url, limits=many, timeout=30) as crowd:
            following = [asyncio.create_task(crowd.get("/held/stream")) for _ in range(most)]
            for _ in range(most):
                await replicas[0].holding.acquire()
            refused = await crowd.get("/held/stream")
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
            assert refused.headers["retry-after"] == "1"
            assert (await client.get("/orders/1")).status_code == 200

            for replica in replicas:
                replica.release.set()
            assert {each.status_code for each in await asyncio.gather(*following)} == {200}
        assert (await client.get("/held/stream")).status_code == 200


@pytest.mark.parametrize("places", [(3, 2), (1, 0)])
async def test_commands_that_no_replica_takes_are_refused_before_it(
    front: httpx.AsyncClient, replicas: list[Replica], places: tuple[int, int]
) -> None:
    """Whatever answer tells how many are taken."""
    await _tell(front, replicas, places)
    waiting = [asyncio.create_task(front.post("/held")) for _ in range(sum(places))]
    await _hold(sum(places), replicas)

    refused = await front.post("/orders", json={})
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["retry-after"] == "1"
    assert (await front.get("/orders/1")).status_code == 200
    assert (await front.post("/session")).status_code == 200

    for replica in replicas:
        replica.release.set()
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}
    assert (await front.post("/orders", json={})).status_code == 200


@pytest.mark.parametrize("body", [{"store_id": "crowded"}, {"store_id": 17}, {}])
async def test_beside_a_crowd_at_one_store_orders_of_others_are_taken(
    front: httpx.AsyncClient, replicas: list[Replica], body: dict[str, object]
) -> None:
    await _tell(front, replicas, (6, 6))
    for replica in replicas:
        replica.holds = "orders"
    crowd = [asyncio.create_task(front.post("/orders", json=body)) for _ in range(9)]
    await _hold(9, replicas)

    assert (await front.post("/orders", json=body)).status_code == 503
    others = [{"store_id": "quiet"}, {"store_id": "calm"}]
    beside = [asyncio.create_task(front.post("/orders", json=other)) for other in others]
    await _hold(2, replicas)
    for replica in replicas:
        replica.release.set()
    assert {answer.status_code for answer in await asyncio.gather(*crowd, *beside)} == {200}
    assert (await front.post("/orders", json=body)).status_code == 200


async def test_commands_are_taken_while_a_replica_has_not_told_how_many(
    front: httpx.AsyncClient, replicas: list[Replica]
) -> None:
    replicas[0].takes = 0
    assert [(await front.post("/")).status_code for _ in range(3)] == [200] * 3


async def _tell(front: httpx.AsyncClient, replicas: list[Replica], places: tuple[int, int]) -> None:
    """Let each replica tell how many commands it takes, in an answer to a read."""
    for replica, takes in zip(replicas, places, strict=True):
        replica.takes = takes
    answers = [asyncio.create_task(front.get("/held/stream")) for _ in range(2)]
    await _hold(2, replicas)
    assert [len(replica.held) for replica in replicas] == [1, 1]
    for replica in replicas:
        replica.release.set()
    for answer in await asyncio.gather(*answers):
        assert "x-siren-takes" not in answer.headers
    for replica in replicas:
        replica.release.clear()
