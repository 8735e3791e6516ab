"""A replica answers what its own system's HAProxy sends, and nothing else."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.responses import PlainTextResponse

from serve_app.middleware.own_system import OwnSystem

SECRET = "5f3a" * 16


@pytest.fixture
async def replica() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(OwnSystem(PlainTextResponse("served"), SECRET))
    async with httpx.AsyncClient(transport=transport, base_url="http://replica") as client:
        yield client


async def test_what_its_haproxy_sends_is_served(replica: httpx.AsyncClient) -> None:
    answer = await replica.post("/orders", headers={"X-Siren-System": SECRET})
    assert answer.text == "served"


@pytest.mark.parametrize("headers", [{}, {"X-Siren-System": ""}, {"X-Siren-System": SECRET[:-1]}])
async def test_all_else_is_refused_before_anything_is_done(
    replica: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await replica.post("/orders", headers=headers)
    assert answer.status_code == 421
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "misdirected"


async def test_only_the_last_value_counts_which_haproxy_puts(replica: httpx.AsyncClient) -> None:
    guesses = [("X-Siren-System", SECRET), ("X-Siren-System", "another system's")]
    assert (await replica.get("/", headers=guesses)).status_code == 421
