"""Which methods a path has, on every route (RFC 9110, 9)."""

import httpx
import pytest

from tests.support.http_contract import UNPAID, placed
from tests.support.routes import GETS, PATHS, address, code_of, raw


@pytest.mark.parametrize("path", GETS)
async def test_head_is_answered_as_get_without_the_body(
    client: httpx.AsyncClient, ids: dict[str, str], path: str
) -> None:
    got = await client.get(address(path, ids))
    asked = await raw(client, method="HEAD", path=address(path, ids))

    start, *bodies = asked
    assert start["status"] == got.status_code
    assert got.is_success or path == "/readyz"  # there is no Ray here
    assert b"".join(body["body"] for body in bodies) == b""
    assert not bodies[-1].get("more_body", False)
    assert httpx.Headers(start["headers"]) == got.headers


async def test_head_of_a_stream_that_goes_on_ends_at_once(client: httpx.AsyncClient) -> None:
    order_id = await placed(client, UNPAID)
    start, *bodies = await raw(client, method="HEAD", path=f"/orders/{order_id}/stream")
    assert start["status"] == 200
    assert (b"content-type", b"text/event-stream; charset=utf-8") in start["headers"]
    assert [body["body"] for body in bodies] == [b""]


async def test_head_of_what_does_not_exist_is_404(client: httpx.AsyncClient) -> None:
    for path in ("/orders/nobody", "/nowhere", "/static/nothing.js"):
        assert (await client.head(path)).status_code == 404


@pytest.mark.parametrize("path", sorted(PATHS))
async def test_options_and_405_name_every_method_of_a_path(
    client: httpx.AsyncClient, ids: dict[str, str], path: str
) -> None:
    allowed = {"OPTIONS", *PATHS[path]}
    options = await client.options(address(path, ids))
    assert (options.status_code, options.content) == (204, b"")
    assert set(options.headers["allow"].split(", ")) == allowed
    for method in {"PUT", "POST", "PATCH", "DELETE", "TRACE", "GET", "HEAD"} - allowed:
        refused = await client.request(method, address(path, ids))
        assert refused.status_code == 405
        assert set(refused.headers["allow"].split(", ")) == allowed


async def test_a_method_that_nobody_knows_is_not_implemented(client: httpx.AsyncClient) -> None:
    response = await client.request("NARA", "/stores")
    assert (response.status_code, code_of(response)) == (501, "not_implemented")


async def test_options_of_nothing_is_404(client: httpx.AsyncClient) -> None:
    assert (await client.options("/nowhere")).status_code == 404
