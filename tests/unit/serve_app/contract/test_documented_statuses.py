"""Whatever may answer a call before its route does is documented with the call."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from actors.settings import Settings
from serve_app.app import build_app
from serve_app.backend import Backend
from serve_app.contract.identity import Identity, Role
from serve_app.middleware.request_body import MAX_BODY, Bodies
from tests.support.http_contract import ORDER
from tests.support.in_process import in_process
from tests.support.tokens import BAD, SECRET, bearer, token_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

Client = httpx.AsyncClient
Calls = dict[tuple[str, str], dict[str, Any]]

# What gets each of them from any call. 500 is nobody's intention.
FROM_ALL: dict[int, dict[str, Any]] = {
    400: {"headers": {"X-Test": "no host"}},
    406: {"headers": {"Accept": "image/png"}},
    408: {"headers": {"Content-Length": "9", "X-Test": "no body"}},
    412: {"headers": {"If-Match": '"x"'}},
    413: {"headers": {"Content-Length": str(MAX_BODY + 1)}},
    422: {"params": {"nothing": "like it"}},
}
numbers = count()


def somebody(role: Role = Role.OWNER) -> dict[str, str]:
    """Return the token of somebody who was never here: each may send one request."""
    store = "gangnam" if role is Role.STAFF else None
    return bearer(token_of(Identity(f"new-{next(numbers)}", role, store)))


def served(app: FastAPI) -> Any:
    """Return the application behind a server that does what no client can be made to send."""

    async def never() -> Any:
        await asyncio.Event().wait()

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        asked = dict(scope["headers"]).get(b"x-test")
        if asked == b"no host":
            scope["headers"] = [each for each in scope["headers"] if each[0] != b"host"]
        await app(scope, never if asked == b"no body" else receive, send)

    return serve


def client_of(siren: Backend, max_in_flight: int = 100) -> Client:
    app = build_app(siren, max_in_flight, SECRET)
    for middleware in app.user_middleware:
        if getattr(middleware.cls, "__name__", "") == Bodies.__name__:
            middleware.kwargs["deadline_s"] = 0.01
    return Client(transport=httpx.ASGITransport(served(app)), base_url="http://localhost")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def siren(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    folder = tmp_path_factory.mktemp("data")
    async with in_process(Settings(data_dir=folder, auth="required", rate_limit="1/hour")) as siren:
        yield siren


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(siren: Backend) -> AsyncIterator[Client]:
    async with client_of(siren) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def calls(client: Client) -> Calls:
    """Every documented call, by method and an address that leads to something."""
    order = (await client.post("/orders", json=ORDER, headers=somebody())).json()
    version = {"min_version": order["version"]}
    path = f"/order-details/{order['order_id']}"
    assert (await client.get(path, params=version, headers=somebody())).json() == order
    ids = order | {"menu_id": "latte"}
    document = (await client.get("/openapi.json")).json()
    return {
        (method.upper(), path.format(**ids)): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def is_open(operation: dict[str, Any]) -> bool:
    return bool(operation["security"] == [])


def assert_documented(response: httpx.Response, operation: dict[str, Any], status: int) -> None:
    told = (operation["operationId"], response.text)
    assert response.status_code == status, told
    assert str(status) in operation["responses"], told


@pytest.mark.parametrize("status", FROM_ALL)
async def test_what_any_call_may_get_is_documented_with_each(
    client: Client, calls: Calls, status: int
) -> None:
    for (method, path), operation in calls.items():
        if (status, path) == (412, "/readyz"):
            continue  # 503 goes before: there is no Ray here
        asked = FROM_ALL[status]
        headers = somebody() | asked.get("headers", {})
        response = await client.request(method, path, **asked | {"headers": headers})
        assert_documented(response, operation, status)


async def test_a_refusal_by_token_role_or_pace_is_documented_with_each_that_has_roles(
    client: Client, calls: Calls
) -> None:
    for (method, path), operation in calls.items():
        if is_open(operation):
            continue
        stranger = await client.request(method, path)
        assert_documented(stranger, operation, 401)
        for role in set(Role) - set(operation["x-roles"]):
            other = await client.request(method, path, headers=somebody(role))
            assert_documented(other, operation, 403)
        hasty = somebody() | {"Accept": "image/png"}
        await client.request(method, path, headers=hasty)
        assert_documented(await client.request(method, path, headers=hasty), operation, 429)


async def test_a_session_refuses_a_bad_token_as_documented(client: Client, calls: Calls) -> None:
    for method in ("GET", "POST"):
        refused = await client.request(method, "/session", headers=BAD["expired"])
        assert_documented(refused, calls[method, "/session"], 401)


async def test_what_reads_a_body_documents_that_it_reads_json_alone(
    client: Client, calls: Calls
) -> None:
    for (method, path), operation in calls.items():
        if method == "GET":
            assert "415" not in operation["responses"]
            continue
        headers = somebody() | {"Content-Type": "text/plain"}
        response = await client.request(method, path, content=b"{}", headers=headers)
        assert_documented(response, operation, 415)
        assert "requestBody" in operation


async def test_too_much_at_once_is_documented_with_each(siren: Backend, calls: Calls) -> None:
    async with client_of(siren, max_in_flight=0) as client:
        for (method, path), operation in calls.items():
            if path == "/healthz":
                assert "503" in operation["responses"]
                continue
            response = await client.request(method, path, headers=somebody())
            assert_documented(response, operation, 503)


async def test_what_may_be_kept_documents_that_it_has_not_changed(
    client: Client, calls: Calls
) -> None:
    unchanged = set()
    for (method, path), operation in calls.items():
        headers = somebody() | {"If-None-Match": "*"}
        kept = method == "GET" and not path.endswith("/stream")
        if kept and (await client.get(path, headers=headers)).status_code == 304:
            unchanged.add(operation["operationId"])
        assert ("304" in operation["responses"]) == (operation["operationId"] in unchanged)
    assert {"get_order", "get_order_detail", "list_stores", "get_menu", "get_payment"} <= unchanged
    assert len(unchanged) == 11


async def test_a_guest_says_nothing_to_begin_a_session(client: Client) -> None:
    assert (await client.post("/session", json={})).status_code == 201
    refused = await client.post("/session", json={"role": "owner"})
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/role"]
