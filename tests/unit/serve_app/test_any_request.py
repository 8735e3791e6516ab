"""Whatever bytes stand in a request's path, query, headers and body, it is answered, and well."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from serve_app.app import build_app
from serve_app.backend import Backend
from tests.support.documented_calls import exchange
from tests.support.http_contract import ORDER, placed
from tests.support.routes import API, PAGES, address

pytestmark = pytest.mark.asyncio(loop_scope="module")

LATIN = st.binary(max_size=30).map(lambda value: re.sub(rb"[\x00-\x08\x0a-\x1f\x7f]", b"", value))
"""What a server lets through in a header (RFC 9110, 5.5)."""
OVERLONG = st.sampled_from([b"x" * 70_000, b"a," * 20_000, b'W/"' * 9_000, b"9" * 9_999])
READ = {
    b"accept": [b"*/*", b"text/html", b"application/json;q=0.000", b"text/*;q=2", b",,;q"],
    b"accept-encoding": [b"gzip", b"*;q=0", b"identity;q=0", b"gzip;q=x", b"br, gzip;q=1e3"],
    b"accept-language": [b"ko", b"en;q=nan", b"*;q=-1", b"ko;q=1e999, en"],
    b"authorization": [b"Bearer x.y.z", b"Bearer", b"Basic =", b"bearer \xff"],
    b"content-length": [b"-1", b"0", b"1e3", b"+5", b"99999999999999999999"],
    b"content-type": [b"application/json", b"text/xml", b"application/json; charset=utf-16", b"/"],
    b"content-encoding": [b"gzip", b"identity", b"x"],
    b"cookie": [b"siren-language=ko", b"siren-language=../..", b"=;;="],
    b"host": [b"", b"evil.example", b"localhost:99999", b"[::1", b"a\xff"],
    b"idempotency-key": [b"k", b"\xff", b"a b", b"x" * 256],
    b"if-match": [b"*", b'"x"', b'W/"', b'"x", *'],
    b"if-none-match": [b"*", b'W/"x"', b",,"],
    b"last-event-id": [b"1", b"-1", b"9" * 400, b"\xb2"],
    b"origin": [b"null", b"http://evil.example", b"http://localhost"],
    b"prefer": [b"wait=0", b"wait=-1", b"respond-async, wait=0", b'wait="0', b"wait=" + b"0" * 99],
    b"traceparent": [b"00-0-0-00", b"00-" + b"f" * 32 + b"-" + b"f" * 16 + b"-01", b"\xff"],
    b"x-forwarded-for": [b"127.0.0.1", b"\xff"],
}
HEADER = st.sampled_from(list(READ)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(READ[name]) | LATIN | OVERLONG)
)
HEADERS = st.lists(
    HEADER | st.tuples(st.sampled_from([b"x-a", b"te", b"range"]), LATIN), max_size=6
)
ESCAPES = st.sampled_from(
    ["%00", "%ff", "%", "%zz", "%ed%a0%80", "%2e%2e%2f", "%0d%0a", "<script>"]
)
TEXT = st.lists(ESCAPES | st.text(st.characters(codec="ascii", exclude_characters="?#"))).map(
    "".join
)
BODIES = st.sampled_from(
    [
        b"",
        b"{}",
        b"null",
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"NaN",
        b'{"reason":1e999}',
        b'{"reason":"\\ud800"}',
        b'{"reason":"x","reason":"y"}',
        b'{"capacity":%s}' % (b"9" * 5_000),
        b'{"open":' + b"[" * 30_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b"<order/>",
        json.dumps(ORDER).encode("utf-16"),
        json.dumps(ORDER)[:-1].encode(),
        json.dumps(ORDER).encode(),
    ]
) | st.binary(max_size=40)
METHODS = st.sampled_from(
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X"]
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(shared_siren: Backend) -> AsyncIterator[Any]:
    yield build_app(shared_siren, 100)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paths(shared_client: httpx.AsyncClient) -> list[tuple[str, str]]:
    """Every route's method and an address of it that leads to something."""
    ids = {"order_id": await placed(shared_client), "store_id": "gangnam", "menu_id": "latte"}
    ids |= {"payment_id": "pay-1", "name": "style.css"}
    pages = [("GET", path) for path in (*PAGES, "/nowhere")]
    calls = [call for call in API if call[1] != "/readyz"]  # there is no Ray here
    return [(method, address(path, ids)) for method, path in [*calls, *pages]]


@given(data=st.data())
async def test_any_request_is_answered_with_words(
    app: Any, paths: list[tuple[str, str]], data: st.DataObject
) -> None:
    method, path = data.draw(st.sampled_from(paths))
    method = data.draw(st.just(method) | METHODS)
    path += data.draw(st.just("") | TEXT)
    headers = data.draw(HEADERS)
    if data.draw(st.booleans()):
        headers.insert(0, (b"host", b"localhost"))
    query = data.draw(st.just("") | TEXT)
    scope = {
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": headers,
    }
    start, *pieces = await exchange(app, scope, data.draw(BODIES))
    assert_well_answered(method, start, b"".join(piece.get("body", b"") for piece in pieces))


def assert_well_answered(method: str, start: dict[str, Any], body: bytes) -> None:
    """Fail for what is no answer of ours: it tells what went wrong, and nothing of ourselves."""
    headers = dict(start["headers"])
    assert start["status"] < 500 or start["status"] == 501
    assert not any(re.search(rb"[\r\n\x00]", part) for pair in start["headers"] for part in pair)
    assert b"Traceback" not in body
    if start["status"] < 400 or method == "HEAD":
        return
    if headers[b"content-type"].startswith(b"text/html"):
        assert b"<main" in body
        assert b"<script>" not in body.partition(b"<main")[2]
    else:
        assert headers[b"content-type"] == b"application/problem+json"
        problem = json.loads(body)
        assert problem["status"] == start["status"]
        assert problem["code"]
        assert problem["detail"]
