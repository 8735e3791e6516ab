"""On a loopback address nobody needs a token, and no stranger becomes the owner by that."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from actors.settings import Settings
from serve_app.app import build_app
from tests.support.http_contract import UNPAID
from tests.support.in_process import in_process
from tests.support.tokens import BAD, GOOD, SECRET

pytestmark = pytest.mark.asyncio(loop_scope="module")

HERE = "127.0.0.1:8088"
LOCAL = [
    {"Host": "localhost"},
    {"Host": "LOCALHOST:8088"},
    {"Host": "127.0.0.1"},
    {"Host": "[::1]:8088"},
    {"Host": "localhost."},
    {"Host": "LocalHost.:8088"},
    {"Host": "LocalHost.:8088", "Origin": "http://localhost.:8088"},
    {"Host": HERE, "Origin": f"http://{HERE}"},
    {"Host": "[::1]:8088", "Origin": "http://[::1]:8088"},
]
STRANGE = [
    {"Host": "evil.example"},
    {"Host": "evil.example:8088"},
    {"Host": "localhost.evil.example"},
    {"Host": "localhost@evil.example"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "127.0.0.2"},
    {"Host": "localhost.."},
    {"Host": ".localhost"},
    {"Host": "localhost.evil.example."},
    {"Host": "localhost.", "Origin": "http://localhost"},
    {"Host": "localhost", "Origin": "http://localhost."},
    {"Host": "192.168.0.7:8088"},
    {"Host": "0.0.0.0:8088"},
    {"Host": "localhost:"},
    {"Host": "localhost:8088:8088"},
    {"Host": "localhost, evil.example"},
    {"Host": ""},
    {"Host": HERE, "Origin": "http://evil.example"},
    {"Host": HERE, "Origin": "http://127.0.0.1:3000"},
    {"Host": HERE, "Origin": "http://localhost:8088"},
    {"Host": HERE, "Origin": f"https://{HERE}"},
    {"Host": HERE, "Origin": "null"},
    {"Host": HERE, "Origin": ""},
    {"Host": HERE, "Forwarded": "for=10.0.0.1"},
    {"Host": HERE, "X-Forwarded-For": "10.0.0.1"},
    {"Host": HERE, "X-Forwarded-For": "127.0.0.1"},
    {"Host": HERE, "X-Forwarded-Host": "shop.example"},
    {"Host": HERE, "X-Forwarded-Proto": "https"},
    {"Host": HERE, "X-Forwarded-Anything": ""},
    {"Host": HERE, "X-Real-IP": "10.0.0.1"},
    {"Host": HERE, "Via": "1.1 proxy"},
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FastAPI]:
    async with in_process(Settings(data_dir=tmp_path_factory.mktemp("data"))) as siren:
        yield build_app(siren, max_in_flight=100, token_secret=SECRET)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HERE}") as client:
        yield client


@pytest.mark.parametrize("headers", LOCAL, ids=str)
async def test_a_request_from_here_to_here_is_the_owner_s(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    assert (await client.get("/order-details", headers=headers)).status_code == 200
    session = (await client.get("/session", headers=headers)).json()
    assert session == {
        "authentication": "off",
        "subject": "owner",
        "role": "owner",
        "store_id": None,
        "expires_at": None,
    }


@pytest.mark.parametrize("headers", STRANGE, ids=str)
async def test_a_stranger_is_nobody(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for method, path, body in (
        ("GET", "/order-details", None),
        ("POST", "/orders", UNPAID),
        ("PATCH", "/stores/gangnam", {"open": False}),
    ):
        refused = await client.request(method, path, json=body, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    session = (await client.get("/session", headers=headers)).json()
    assert (session["authentication"], session["role"]) == ("required", None)
    assert (await client.post("/session", headers=headers)).status_code == 403


@pytest.mark.parametrize(
    ("headers", "cause"),
    [
        ({"Host": ""}, "no Host"),
        ({"Host": "evil.example"}, "Host is no name of this machine"),
        ({"Host": HERE, "Origin": "http://evil.example"}, "page of another site"),
        ({"Host": HERE, "Via": "1.1 proxy"}, "through a proxy"),
    ],
)
async def test_a_stranger_is_told_why(
    client: httpx.AsyncClient, headers: dict[str, str], cause: str
) -> None:
    for method, path in (("GET", "/order-details"), ("POST", "/orders"), ("POST", "/session")):
        refused = await client.request(method, path, headers=headers)
        assert cause in refused.json()["detail"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/stores"), ("POST", "/orders")])
async def test_a_client_of_http_1_0_without_a_host_is_told_so(
    app: FastAPI, method: str, path: str
) -> None:
    async def unnamed(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [each for each in scope["headers"] if each[0] != b"host"]
        await app({**scope, "http_version": "1.0", "headers": headers}, receive, send)

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(unnamed), base_url="http://x"
    ) as old:
        refused = await old.request(method, path)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
        assert "it has no Host" in refused.json()["detail"]
        assert (await old.get("/healthz")).status_code == 200
        assert (await old.get("/stores", headers=GOOD["staff"])).status_code == 200


@pytest.mark.parametrize("name", ["Host", "Origin"])
async def test_a_header_that_stands_twice_says_nothing(
    client: httpx.AsyncClient, name: str
) -> None:
    value = HERE if name == "Host" else f"http://{HERE}"
    twice = [("Host", HERE), (name, value), *([] if name == "Host" else [(name, value)])]
    assert (await client.get("/order-details", headers=twice)).status_code == 401


@pytest.mark.parametrize(
    ("peer", "status"), [("127.0.0.1", 200), ("::1", 200), ("192.168.0.9", 401), ("fe80::1", 401)]
)
async def test_whoever_reaches_a_replica_past_haproxy_is_told_by_the_address(
    app: FastAPI, peer: str, status: int
) -> None:
    transport = httpx.ASGITransport(app, client=(peer, 5000))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HERE}") as client:
        assert (await client.get("/order-details")).status_code == status


@pytest.mark.parametrize("name", [name for name in BAD if name != "no token"])
async def test_a_token_that_is_not_valid_is_refused_here_too(
    client: httpx.AsyncClient, name: str
) -> None:
    assert (await client.get("/order-details", headers=BAD[name])).status_code == 401
    assert (await client.get("/session", headers=BAD[name])).status_code == 401


async def test_a_token_counts_for_what_it_says_from_wherever_it_comes(
    client: httpx.AsyncClient,
) -> None:
    for headers in ({}, {"Host": "shop.example", "X-Forwarded-For": "10.0.0.1"}):
        as_staff = headers | GOOD["staff"]
        assert (await client.get("/pickups", headers=as_staff)).status_code == 200
        assert (await client.get("/payments", headers=as_staff)).status_code == 403
        session = (await client.get("/session", headers=as_staff)).json()
        assert (session["authentication"], session["store_id"]) == ("off", "gangnam")
