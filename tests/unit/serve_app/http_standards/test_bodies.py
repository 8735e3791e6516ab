"""A body is what its headers say that it is (RFC 9110, 8)."""

import httpx
import pytest

from tests.support.http_contract import ORDER, UNPAID, placed
from tests.support.routes import code_of


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (None, 201),
        ("", 201),
        ("application/json", 201),
        ("Application/JSON ; Charset=UTF-8", 201),
        ('application/json; charset="utf-8"', 201),
        ("application/json;charset=us-ascii", 201),
        ("application/x-www-form-urlencoded", 201),
        ("application/json; charset=utf-16", 415),
        ("application/json; charset=iso-8859-1", 415),
        ("application/x-www-form-urlencoded; charset=euc-kr", 415),
        ("text/plain", 415),
        ("text/plain;charset=UTF-8", 415),
        ("text/xml", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/octet-stream", 415),
        ("application/json-patch+json", 415),
        ("json", 415),
        ("application/json" + " " * 5000, 415),
    ],
)
async def test_a_body_is_json_or_says_nothing_else(
    client: httpx.AsyncClient, content_type: str | None, status: int
) -> None:
    body = httpx.Request("POST", "http://x", json=UNPAID).content
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = await client.post("/orders", content=body, headers=headers)
    assert response.status_code == status, response.text
    if status == 415:
        assert code_of(response) == "unsupported_media_type"
        assert response.headers["accept"] == "application/json"


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "br", "deflate", "identity, gzip"])
async def test_a_compressed_body_is_refused_and_told_what_is_taken(
    client: httpx.AsyncClient, coding: str
) -> None:
    response = await client.post("/orders", json=ORDER, headers={"Content-Encoding": coding})
    assert (response.status_code, code_of(response)) == (415, "unsupported_coding")
    assert response.headers["accept-encoding"] == "identity"


async def test_a_body_that_says_it_is_not_coded_is_taken(client: httpx.AsyncClient) -> None:
    response = await client.post("/orders", json=ORDER, headers={"Content-Encoding": "identity"})
    assert response.status_code == 201


async def test_without_a_body_its_type_says_nothing(client: httpx.AsyncClient) -> None:
    order_id = await placed(client, UNPAID)
    headers = {"Content-Type": "text/plain"}
    assert (await client.post(f"/orders/{order_id}/cancel", headers=headers)).status_code == 200
