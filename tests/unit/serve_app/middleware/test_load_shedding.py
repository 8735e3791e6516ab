"""What stands before every route, in front of routes that hang, wait, fail or read."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from actors.command_waits import LATE_S
from serve_app.contract.identity import OWNER, Identity, Role
from serve_app.contract.problems import Refused
from serve_app.middleware.concurrency_limits import (
    AT_ONCE,
    FEWEST,
    HEALTH,
    SHARE,
    STREAMS_EACH,
    WAITING,
    Kind,
    Places,
    current,
    waiting,
)
from serve_app.middleware.load_shedding import Guard
from serve_app.middleware.request_body import MAX_BODY, Bodies

GUEST = Identity("guest-1", Role.CUSTOMER, guest=True)
OTHER = Identity("guest-2", Role.CUSTOMER, guest=True)
CALLERS = {"owner": OWNER, "guest": GUEST, "other": OTHER}


class Routes:
    """`/hang` and those like it answer after `release`; `/fail` never does."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.entered = asyncio.Semaphore(0)

    async def hang(self, request: Request) -> Response:
        place = current()
        assert place is not None
        try:
            place.belong_to(CALLERS[request.query_params.get("as", "owner")])
        except Refused as refusal:
            return refusal.response
        self.entered.release()
        await self.release.wait()
        return PlainTextResponse("done")

    async def wait(self, _request: Request) -> Response:
        with waiting() as may_wait:
            self.entered.release()
            if may_wait:
                await self.release.wait()
        return PlainTextResponse("waited" if may_wait else "at once")

    async def stream(self, request: Request) -> Response:
        place = current()
        assert place is not None
        try:
            place.become_stream(CALLERS[request.query_params.get("as", "owner")])
        except Refused as refusal:
            return refusal.response
        self.entered.release()
        await self.release.wait()
        return PlainTextResponse("over")

    async def fail(self, request: Request) -> Response:
        raise LookupError(request.query_params["tel"])

    async def fine(self, request: Request) -> Response:
        return PlainTextResponse(request.scope.get("body") or "fine")

    def client(self, max_in_flight: int, **bodies: Any) -> httpx.AsyncClient:
        paths = {
            "/hang": self.hang,
            "/wait": self.wait,
            "/stream": self.stream,
            "/fail": self.fail,
            "/fine": self.fine,
            "/session": self.fine,
            "/healthz": self.hang,
        }
        routes = [Route(path, route, methods=["GET", "POST"]) for path, route in paths.items()]
        app = Starlette(routes=routes)
        app.add_middleware(Guard, places=Places(max_in_flight))
        app.add_middleware(Bodies, **bodies)
        transport = httpx.ASGITransport(app)
        return httpx.AsyncClient(transport=transport, base_url="http://siren")

    async def occupy(
        self, group: asyncio.TaskGroup, client: httpx.AsyncClient, method: str, path: str, n: int
    ) -> list[asyncio.Task[httpx.Response]]:
        """Send `n` requests, and return once all of them are with their route."""
        tasks = [group.create_task(client.request(method, path)) for _ in range(n)]
        for _ in tasks:
            await self.entered.acquire()
        return tasks


@pytest.fixture
def routes() -> Routes:
    return Routes()


async def never(began: asyncio.Event | None = None) -> AsyncIterator[bytes]:
    """A body whose end does not come."""
    yield b"{"
    if began is not None:
        began.set()
    await asyncio.Event().wait()


async def test_too_many_requests_are_shed(routes: Routes) -> None:
    async with routes.client(max_in_flight=1) as client, asyncio.TaskGroup() as group:
        [first] = await routes.occupy(group, client, "GET", "/hang", 1)

        shed = await client.get("/fine")
        routes.release.set()
        assert (await first).status_code == 200
        served = await client.get("/fine")

    assert (shed.status_code, shed.json()["code"]) == (503, "overloaded")
    assert shed.headers["retry-after"] == "1"
    assert shed.headers["content-type"] == "application/problem+json"
    assert served.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "count", "asking", "takes"),
    [
        ("POST", "/hang", 0, "POST", 8),
        ("POST", "/hang", 8, "POST", 8),
        ("POST", "/hang", 8, "HEAD", 8),
        ("GET", "/hang", 7, "POST", 3),
        ("POST", "/wait", 5, "POST", 8 + 5),
        ("GET", "/wait", 5, "POST", 8),
    ],
)
async def test_each_answer_tells_haproxy_how_many_commands_are_taken(
    routes: Routes, method: str, path: str, count: int, asking: str, takes: int
) -> None:
    async with routes.client(max_in_flight=10) as client, asyncio.TaskGroup() as group:
        await routes.occupy(group, client, method, path, count)
        answer = await client.request(asking, "/fine")
        assert answer.headers["x-siren-takes"] == str(takes)
        routes.release.set()


async def test_haproxy_is_never_told_that_no_command_is_taken(routes: Routes) -> None:
    """It would send none, and so would not be told that there is a place again."""
    async with routes.client(max_in_flight=1) as client, asyncio.TaskGroup() as group:
        await routes.occupy(group, client, "GET", "/hang", 1)
        answer = await client.post("/fine")
        assert (answer.status_code, answer.headers["x-siren-takes"]) == (503, "1")
        routes.release.set()


def test_fewer_commands_are_taken_while_each_takes_long_and_all_again_when_they_do_not() -> None:
    now = 0.0
    places = Places(100, lambda: now)

    def serve(kind: Kind, takes_s: float) -> None:
        nonlocal now
        place = places.enter(kind)
        assert place is not None
        with place:
            now += takes_s

    def wait_for(takes_s: float) -> None:
        nonlocal now
        place = places.enter(Kind.COMMAND)
        assert place is not None
        with place, place.waiting():
            now += takes_s

    most = places.commands
    wait_for(30.0)
    serve(Kind.READ, 30.0)
    serve(Kind.HEALTH, 30.0)
    assert places.commands == most == 80

    serve(Kind.COMMAND, LATE_S + 0.01)
    assert places.commands < most
    for _ in range(1000):
        serve(Kind.COMMAND, LATE_S + 0.01)
    assert places.commands == FEWEST
    for _ in range(1000):
        serve(Kind.COMMAND, LATE_S)
    assert places.commands == most


@pytest.mark.parametrize(
    ("flood", "starved", "served"),
    [
        ("POST", [("POST", "/fine")], [("GET", "/fine"), ("POST", "/session")]),
        ("GET", [("GET", "/fine"), ("POST", "/session")], [("POST", "/fine")]),
    ],
)
async def test_a_flood_of_one_kind_leaves_the_other_its_share(
    routes: Routes, flood: str, starved: list[tuple[str, str]], served: list[tuple[str, str]]
) -> None:
    async with routes.client(max_in_flight=10) as client, asyncio.TaskGroup() as group:
        await routes.occupy(group, client, flood, "/hang", 10 - 10 // SHARE)

        for method, path in starved:
            assert (await client.request(method, path)).status_code == 503
        for method, path in served:
            assert (await client.request(method, path)).status_code == 200
        routes.release.set()


async def test_health_has_places_of_its_own_and_not_all_others(routes: Routes) -> None:
    async with routes.client(max_in_flight=1) as client, asyncio.TaskGroup() as group:
        await routes.occupy(group, client, "GET", "/healthz", HEALTH)

        assert (await client.get("/healthz")).status_code == 503
        assert (await client.get("/fine")).status_code == 200
        await routes.occupy(group, client, "POST", "/hang", 1)
        routes.release.set()


@pytest.mark.parametrize("path", ["/wait", "/stream"])
async def test_whoever_merely_waits_takes_nobodys_place(routes: Routes, path: str) -> None:
    async with routes.client(max_in_flight=1) as client, asyncio.TaskGroup() as group:
        await routes.occupy(group, client, "GET", path, 3)

        assert (await client.get("/fine")).status_code == 200
        routes.release.set()


async def test_more_than_may_wait_are_answered_at_once(routes: Routes) -> None:
    async with routes.client(max_in_flight=1) as client, asyncio.TaskGroup() as group:
        patient = await routes.occupy(group, client, "GET", "/wait", WAITING)

        assert (await client.get("/wait")).text == "at once"
        routes.release.set()
        assert {(await task).text for task in patient} == {"waited"}
        assert (await client.get("/wait")).text == "waited"


@pytest.mark.parametrize("path", ["/hang", "/wait", "/stream"])
async def test_a_client_that_left_frees_its_place(routes: Routes, path: str) -> None:
    async with routes.client(max_in_flight=1) as client:
        async with asyncio.TaskGroup() as group:
            for task in await routes.occupy(group, client, "GET", path, 1):
                task.cancel()
        assert (await client.get("/fine")).status_code == 200
        routes.release.set()
        assert (await client.get("/wait")).text == "waited"


@pytest.mark.parametrize(
    ("path", "most", "code"),
    [
        ("/hang", AT_ONCE[Role.CUSTOMER], "too_many_at_once"),
        ("/stream", STREAMS_EACH[Role.CUSTOMER], "too_many_streams"),
    ],
)
async def test_one_subject_has_so_many_at_once_and_others_have_theirs(
    routes: Routes, path: str, most: int, code: str
) -> None:
    async with routes.client(max_in_flight=1000) as client:
        async with asyncio.TaskGroup() as group:
            await routes.occupy(group, client, "GET", f"{path}?as=guest", most)

            refused = await client.get(f"{path}?as=guest")
            await routes.occupy(group, client, "GET", f"{path}?as=other", 1)
            await routes.occupy(group, client, "GET", f"{path}?as=owner", 2 * most)
            routes.release.set()
        again = await client.get(f"{path}?as=guest")

    assert (refused.status_code, refused.json()["code"]) == (429, code)
    assert refused.headers["retry-after"] == "1"
    assert again.status_code == 200


# --- bodies -------------------------------------------------------------------------------------


async def test_a_body_that_does_not_come_in_time_is_refused_and_takes_no_place(
    routes: Routes,
) -> None:
    async with routes.client(max_in_flight=1, deadline_s=0.3) as client:
        async with asyncio.TaskGroup() as group:
            slow = [group.create_task(client.post("/fine", content=never())) for _ in range(5)]
            assert (await client.post("/fine", content=b"{}")).text == "{}"
        served = await client.post("/fine", content=b"{}")

    for task in slow:
        answer = task.result()
        assert (answer.status_code, answer.json()["code"]) == (408, "body_too_late")
        assert answer.headers["connection"] == "close"
    assert served.status_code == 200


async def test_the_deadline_is_for_the_whole_body_and_not_for_each_piece(routes: Routes) -> None:
    async def dripping() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    async with routes.client(max_in_flight=1, deadline_s=0.3) as client:
        assert (await client.post("/fine", content=dripping())).status_code == 408


async def test_a_body_in_pieces_is_put_together(routes: Routes) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b'{"a"', b": ", b"1}"):
            yield piece
            await asyncio.sleep(0)

    async with routes.client(max_in_flight=1) as client:
        assert (await client.post("/fine", content=pieces())).text == '{"a": 1}'


async def test_where_too_many_bodies_are_on_their_way_the_slowest_makes_room(
    routes: Routes,
) -> None:
    async with routes.client(max_in_flight=1, at_once=2) as client, asyncio.TaskGroup() as group:
        slow = []
        for _ in range(2):
            began = asyncio.Event()
            slow.append(group.create_task(client.post("/fine", content=never(began))))
            await began.wait()
        assert (await client.post("/fine", content=b"{}")).text == "{}"
        assert (await slow[0]).status_code == 408
        assert not slow[1].done()
        slow[1].cancel()


async def test_whoever_leaves_while_sending_makes_room(routes: Routes) -> None:
    async with routes.client(max_in_flight=1, at_once=1) as client:
        async with asyncio.TaskGroup() as group:
            began = asyncio.Event()
            leaving = group.create_task(client.post("/fine", content=never(began)))
            await began.wait()
            leaving.cancel()
        assert (await client.post("/fine", content=b"{}")).text == "{}"


@pytest.mark.parametrize("length", [str(MAX_BODY + 1), "9" * 5000])
async def test_an_announced_body_that_is_too_large_is_not_read(routes: Routes, length: str) -> None:
    async with routes.client(max_in_flight=1) as client:
        response = await client.post("/fine", headers={"Content-Length": length})

    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


# --- the last resort ----------------------------------------------------------------------------


async def test_a_failure_is_a_problem_and_its_text_is_not_logged(
    routes: Routes, caplog: pytest.LogCaptureFixture
) -> None:
    """The text may quote a customer; the traceback says enough."""
    async with routes.client(max_in_flight=1) as client:
        with caplog.at_level(logging.ERROR, "siren"):
            response = await client.get("/fail", params={"tel": "010-1234-5678"})
        again = await client.get("/fine")

    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "LookupError" in caplog.text
    assert "in fail" in caplog.text
    assert "010-1234-5678" not in caplog.text + response.text
    assert again.status_code == 200


def test_fewer_places_hold_for_whoever_comes_and_nobody_is_sent_away() -> None:
    places = Places(10)
    taken = [places.enter(Kind.COMMAND) for _ in range(8)]
    assert all(taken)
    assert places.enter(Kind.COMMAND) is None

    places.resize(5)
    assert places.enter(Kind.READ) is None
    for place in taken[:5]:
        assert place is not None
        place._stop_working()
    assert places.enter(Kind.READ) is not None

    places.resize(20)
    assert all(places.enter(Kind.READ) for _ in range(15))
