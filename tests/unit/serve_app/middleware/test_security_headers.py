"""What a browser may do with an answer, who else's page may ask, and what the log tells."""

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from actors.settings import Settings
from serve_app.middleware.security_headers import CONTENT_SECURITY_POLICY
from tests.support.http_contract import ORDER
from tests.support.in_process import client_of, in_process
from tests.support.tokens import GOOD, MINE, SECRET

ELSEWHERE = "https://shop.example"
Opened = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opened]:
    """Opens a client of a system with these settings."""
    async with AsyncExitStack() as stack:

        async def open_with(**settings: object) -> httpx.AsyncClient:
            configured = Settings.model_validate({"data_dir": tmp_path, **settings})
            siren = await stack.enter_async_context(in_process(configured))
            return await stack.enter_async_context(client_of(siren, token_secret=SECRET))

        yield open_with


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/session"),
        ("GET", "/stores"),
        ("GET", "/nowhere"),
        ("PUT", "/orders"),
        ("POST", "/orders"),
        ("GET", "/openapi.json"),
    ],
)
async def test_every_answer_tells_the_browser_to_do_nothing_else_with_it(
    opened: Opened, method: str, path: str
) -> None:
    client = await opened()
    headers = (await client.request(method, path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    # What is read may be kept by who read it, and is asked for again each time.
    assert headers["cache-control"] == ("private, no-cache" if path == "/stores" else "no-store")
    assert headers.get_list("content-security-policy") == [CONTENT_SECURITY_POLICY.decode()]
    assert "set-cookie" not in headers


def test_the_policy_allows_no_inline_code_and_no_other_host() -> None:
    directives = dict(
        directive.strip().split(" ", 1) for directive in CONTENT_SECURITY_POLICY.decode().split(";")
    )
    assert directives.pop("img-src") == "'self' data:"
    for name in ("default-src", "base-uri", "frame-ancestors"):
        assert directives.pop(name) == "'none'"
    assert set(directives.values()) == {"'self'"}


async def test_the_documentation_loads_nothing_from_elsewhere(opened: Opened) -> None:
    client = await opened()
    page = await client.get("/docs")
    policies = page.headers.get_list("content-security-policy")
    assert policies == [CONTENT_SECURITY_POLICY.decode()]
    loaded = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]*)"', page.text)
    assert {"/docs/style.css", "/docs/try.js"} <= set(loaded)
    for address in loaded:
        assert (await client.get(address)).status_code == 200
    assert not re.search(r"<script[^>]*>[^<]|<style| style=| on[a-z]+=|https?://", page.text)


async def test_a_stream_may_not_be_cached_either(opened: Opened) -> None:
    client = await opened()
    placed = await client.post("/orders", json=ORDER)
    path = f"/orders/{placed.json()['order_id']}"
    await client.delete(path)
    streamed = await client.get(f"{path}/stream")
    assert streamed.headers.get_list("cache-control") == ["no-cache"]


# --- CORS ---------------------------------------------------------------------------------------


async def test_another_site_s_page_gets_no_answer_unless_configured(opened: Opened) -> None:
    client = await opened(auth="required")
    asked = {"Origin": ELSEWHERE, "Access-Control-Request-Method": "GET"}
    assert (
        "access-control-allow-origin"
        not in (await client.get("/stores", headers=GOOD["customer"] | asked)).headers
    )
    preflight = await client.options("/stores", headers=asked)
    assert not [name for name in preflight.headers if name.startswith("access-control-")]


async def test_a_configured_site_s_page_may_ask_with_a_token(opened: Opened) -> None:
    client = await opened(auth="required", cors_origins=f"{ELSEWHERE},https://b.example")
    asked = {
        "Origin": ELSEWHERE,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, content-type, idempotency-key, prefer",
    }
    preflight = await client.options("/stores/gangnam", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == ELSEWHERE
    assert "access-control-allow-credentials" not in preflight.headers
    answer = await client.get("/stores", headers=GOOD["staff"] | {"Origin": ELSEWHERE})
    assert answer.headers["access-control-allow-origin"] == ELSEWHERE
    other = await client.get("/stores", headers=GOOD["staff"] | {"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


async def test_a_configured_site_s_page_is_not_the_owner(opened: Opened) -> None:
    client = await opened(cors_origins=ELSEWHERE)
    assert (await client.get("/stores", headers={"Origin": ELSEWHERE})).status_code == 401


# --- the access log -----------------------------------------------------------------------------


async def test_the_log_names_the_route_and_nobody(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    client = await opened(auth="required")
    order = ORDER | {"customer": ORDER["customer"] | {"id": MINE.subject}}
    with caplog.at_level(logging.INFO, "siren.access"):
        placed = await client.post("/orders", json=order, headers=GOOD["customer"])
        order_id = placed.json()["order_id"]
        await client.get(f"/orders/{order_id}", headers=GOOD["customer"])
        await client.get("/order-details?customer_id=010-1234-5678", headers=GOOD["owner"])
        await client.get("/orders/010-1234-5678")
        await client.request("NARA", "/010-1234-5678")

    lines = [re.sub(r"[0-9.]+ ms", "T", record.message) for record in caplog.records]
    assert lines == [
        "POST /orders 201 T customer",
        "GET /orders/{order_id} 200 T customer",
        "GET /order-details 200 T owner",
        "GET /orders/{order_id} 401 T -",
        "- - 404 T -",
    ]
    token = GOOD["customer"]["Authorization"].split()[1]
    for secret in (order_id, MINE.subject, "영욱", "010-1234-5678", "tok_approve", token):
        assert secret not in caplog.text


async def test_one_person_s_machine_keeps_no_log_of_requests(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    client = await opened()
    with caplog.at_level(logging.INFO, "siren.access"):
        assert (await client.get("/stores")).status_code == 200
    assert not [record for record in caplog.records if record.name == "siren.access"]
