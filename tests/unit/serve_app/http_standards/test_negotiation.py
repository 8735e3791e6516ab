"""Answers are of a type and a coding that the client takes, or refused (RFC 9110, 12)."""

import gzip
import re

import httpx
import pytest

from serve_app.middleware.compression import LEAST
from tests.support.http_contract import ORDER
from tests.support.routes import API, BROWSER, GETS, PAGES, STREAM, address, code_of, raw


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("", 200),
        ("application/json", 200),
        ("Application/JSON", 200),
        ("application/*", 200),
        ("application/json; charset=utf-8", 200),
        ("text/html, application/json;q=0.1", 200),
        ("text/html;q=0.9, */*;q=0.1", 200),
        (BROWSER, 200),
        (";;;", 200),
        ("application/json;q=nonsense", 200),
        ("text/html", 406),
        ("text/*, image/png", 406),
        ("application/xml", 406),
        ("application/json;q=0", 406),
        ("application/json;q=0, */*", 406),
        ("application/*;q=0.0, */*;q=1", 406),
        ("*/*;q=0", 406),
    ],
)
async def test_an_answer_is_json_or_refused(
    client: httpx.AsyncClient, accept: str, status: int
) -> None:
    response = await client.get("/stores", headers={"Accept": accept})
    assert response.status_code == status
    if status == 406:
        assert code_of(response) == "not_acceptable"


@pytest.mark.parametrize(("method", "path"), [each for each in API if each[0] != "HEAD"])
async def test_what_would_not_be_taken_is_refused_before_anything_is_done(
    client: httpx.AsyncClient, ids: dict[str, str], method: str, path: str
) -> None:
    before = (await client.get("/order-details", params={"limit": 200})).json()
    response = await client.request(
        method, address(path, ids), json=ORDER, headers={"Accept": "image/png"}
    )
    assert (response.status_code, code_of(response)) == (406, "not_acceptable")
    assert (await client.get("/order-details", params={"limit": 200})).json() == before


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_for_those_who_take_its_type(
    client: httpx.AsyncClient, ids: dict[str, str], path: str
) -> None:
    page = await client.get(address(path, ids), headers={"Accept": BROWSER})
    assert page.status_code == 200
    media_type = page.headers["content-type"].partition(";")[0]
    assert "charset=utf-8" in page.headers["content-type"]
    own = await client.get(address(path, ids), headers={"Accept": media_type})
    assert own.status_code == 200


@pytest.mark.parametrize("path", ["/", "/my", "/static/style.css"])
async def test_a_page_for_nobody_is_refused(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path, headers={"Accept": "application/json"})
    assert (response.status_code, code_of(response)) == (406, "not_acceptable")


@pytest.mark.parametrize(
    ("accept", "coded"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("*", True),
        ("x-gzip", True),
        ("identity;q=0, gzip", True),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("identity", False),
        ("", False),
        ("br, deflate", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("identity, gzip;q=0.5", False),
    ],
)
@pytest.mark.parametrize(
    "path", ["/stores/gangnam/menu", "/openapi.json", "/", "/static/style.css"]
)
async def test_a_long_answer_is_compressed_for_whoever_takes_that(
    client: httpx.AsyncClient, path: str, accept: str, *, coded: bool
) -> None:
    whole = await client.get(path)
    assert len(whole.content) > LEAST
    [start, *bodies] = await raw(
        client,
        path=path,
        headers=[(b"host", b"localhost"), (b"accept-encoding", accept.encode())],
    )
    headers = httpx.Headers(start["headers"])
    body = b"".join(each["body"] for each in bodies)

    assert start["status"] == 200
    assert "Accept-Encoding" in headers["vary"]
    assert "Accept-Encoding" in whole.headers["vary"]
    assert headers.get("content-encoding") == ("gzip" if coded else None)
    assert headers["content-length"] == str(len(body))
    assert (gzip.decompress(body) if coded else body) == whole.content
    assert not coded or len(body) < len(whole.content)


@pytest.mark.parametrize("accept", ["identity;q=0", "*;q=0", "br, *;q=0"])
async def test_whoever_takes_no_coding_at_all_gets_nothing(
    client: httpx.AsyncClient, accept: str
) -> None:
    for path in ("/stores", "/"):
        response = await client.get(path, headers={"Accept-Encoding": accept})
        assert (response.status_code, code_of(response)) == (406, "not_acceptable")


async def test_an_order_alone_is_sent_as_it_is_unless_that_is_refused(
    client: httpx.AsyncClient, ids: dict[str, str]
) -> None:
    path = f"/order-details/{ids['order_id']}"
    usual = await client.get(path, headers={"Accept-Encoding": "gzip"})
    insisting = await client.get(path, headers={"Accept-Encoding": "gzip, identity;q=0"})
    assert "content-encoding" not in usual.headers
    assert insisting.headers["content-encoding"] == "gzip"
    assert usual.json() == insisting.json()


async def test_a_stream_is_never_compressed(client: httpx.AsyncClient, ids: dict[str, str]) -> None:
    path = f"/orders/{ids['order_id']}/stream"
    response = await client.get(path, headers={"Accept-Encoding": "gzip"})
    assert response.status_code == 200
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize("accept", ["gzip, identity;q=0", "identity;q=0", "*;q=0", "gzip, *;q=0.0"])
async def test_whoever_takes_no_stream_as_it_is_gets_none_and_no_promise(
    client: httpx.AsyncClient, ids: dict[str, str], accept: str
) -> None:
    path = f"/orders/{ids['order_id']}/stream"
    response = await client.get(path, headers={"Accept-Encoding": accept})
    assert (response.status_code, code_of(response)) == (406, "not_acceptable")
    assert response.json()["detail"] == "This is answered as text/event-stream, as it is alone."
    other = await client.get(path, headers={"Accept": "application/json"})
    assert other.status_code == 406
    assert "gzip" not in other.json()["detail"]


@pytest.mark.parametrize("path", [path for path in GETS if path not in (STREAM, "/readyz")])
async def test_a_refusal_offers_only_what_is_given(
    client: httpx.AsyncClient, ids: dict[str, str], path: str
) -> None:
    there = address(path, ids)
    refusal = await client.get(there, headers={"Accept": "image/png"})
    offered = re.search(r"as ([a-z/]+), as it is or as gzip", refusal.json()["detail"])
    assert offered
    wanted = {"Accept": offered[1], "Accept-Encoding": "gzip, identity;q=0"}
    given = await client.get(there, headers=wanted)
    assert (given.status_code, given.headers["content-encoding"]) == (200, "gzip")
    assert given.headers["content-type"].partition(";")[0] == offered[1]
