"""What HTTP 1.0 and 1.1 ask of an answer and of a request (RFC 9112)."""

import httpx
import pytest

from tests.support.http_contract import UNPAID, placed
from tests.support.routes import DOCUMENTS, address, raw


async def test_a_client_of_http_1_0_gets_of_a_stream_what_comes_first_and_its_length(
    client: httpx.AsyncClient,
) -> None:
    order_id = await placed(client, UNPAID)
    start, *bodies = await raw(
        client,
        http_version="1.0",
        headers=[(b"host", b"localhost")],
        path=f"/orders/{order_id}/stream",
    )
    body = b"".join(each["body"] for each in bodies)
    assert start["status"] == 200
    assert dict(start["headers"])[b"content-length"] == str(len(body)).encode()
    assert order_id.encode() in body
    assert not bodies[-1]["more_body"]


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_every_document_has_a_length(
    client: httpx.AsyncClient, ids: dict[str, str], path: str
) -> None:
    response = await client.get(address(path, ids))
    assert response.headers["content-length"] == str(len(response.content))


async def test_http_1_1_needs_a_host_and_1_0_does_not(client: httpx.AsyncClient) -> None:
    without: list[tuple[bytes, bytes]] = []
    [start, *_] = await raw(client, path="/healthz", headers=without)
    assert start["status"] == 400
    [start, *_] = await raw(client, path="/healthz", headers=without, http_version="1.0")
    assert start["status"] == 200
