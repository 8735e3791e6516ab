"""What stands before every route, in front of routes that hang, fail or read."""

import asyncio
import logging

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from serve_app.guard import MAX_BODY, Guard


class Routes:
    """`/hang` answers after `release`; `/fail` never does."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.entered = asyncio.Semaphore(0)

    async def hang(self, _request: Request) -> Response:
        self.entered.release()
        await self.release.wait()
        return PlainTextResponse("done")

    async def fail(self, request: Request) -> Response:
        raise LookupError(request.query_params["tel"])

    async def fine(self, _request: Request) -> Response:
        return PlainTextResponse("fine")

    def client(self, max_in_flight: int) -> httpx.AsyncClient:
        paths = {
            "/hang": self.hang,
            "/orders/o-1/stream": self.hang,
            "/fail": self.fail,
            "/fine": self.fine,
            "/healthz": self.fine,
        }
        routes = [Route(path, route, methods=["GET", "POST"]) for path, route in paths.items()]
        app = Starlette(routes=routes)
        app.add_middleware(Guard, max_in_flight=max_in_flight)
        transport = httpx.ASGITransport(app)
        return httpx.AsyncClient(transport=transport, base_url="http://siren")


@pytest.fixture
def routes() -> Routes:
    return Routes()


async def test_too_many_requests_are_shed(routes: Routes) -> None:
    async with routes.client(max_in_flight=1) as client, asyncio.TaskGroup() as group:
        first = group.create_task(client.get("/hang"))
        await routes.entered.acquire()

        shed = await client.get("/fine")
        healthy = await client.get("/healthz")
        routes.release.set()
        assert (await first).status_code == 200
        served = await client.get("/fine")

    assert (shed.status_code, shed.json()["code"]) == (503, "overloaded")
    assert shed.headers["retry-after"] == "1"
    assert shed.headers["content-type"] == "application/problem+json"
    assert (healthy.status_code, served.status_code) == (200, 200)


async def test_streams_take_nobodys_place(routes: Routes) -> None:
    async with routes.client(max_in_flight=1) as client, asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(client.get("/orders/o-1/stream"))
            await routes.entered.acquire()

        assert (await client.get("/fine")).status_code == 200
        routes.release.set()


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


@pytest.mark.parametrize("length", [str(MAX_BODY + 1), "9" * 5000])
async def test_an_announced_body_that_is_too_large_is_not_read(routes: Routes, length: str) -> None:
    async with routes.client(max_in_flight=1) as client:
        response = await client.post("/fine", headers={"Content-Length": length})

    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
