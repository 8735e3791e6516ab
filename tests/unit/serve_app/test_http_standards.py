"""HTTP as RFC 9110 and 9112 have it, on every route that the application has."""

import asyncio
import gzip
import json
import re
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.routing import Route

from serve_app.middleware.compression import LEAST
from serve_app.routes import ROUTERS
from serve_app.routing.access_route import AccessRoute, PageRoute, PublicRoute
from tests.support.http_contract import CARD, ORDER, UNPAID, placed

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, Route)]
PATHS: dict[str, set[str]] = {}
for _route in ROUTES:
    PATHS.setdefault(_route.path, set()).update(_route.methods or ())
GETS = sorted(path for path, methods in PATHS.items() if "GET" in methods)
API = sorted(
    (method, route.path)
    for route in ROUTES
    if not isinstance(route, PageRoute)
    for method in (route.methods or ())
)
PAGES = sorted(route.path for route in ROUTES if isinstance(route, PageRoute))
STREAM = "/orders/{order_id:id}/stream"
DOCUMENTS = [path for path in GETS if path not in (STREAM, *PAGES)]
QUERIES = sorted(
    (route.path, name)
    for route in ROUTES
    if isinstance(route, PublicRoute | AccessRoute)
    for name in route.parameters
)
NUMBERS = ("limit", "min_version")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.fixture(scope="module")
def client(shared_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Nothing here leaves a trace that another test could see."""
    shared_client.headers["Accept-Encoding"] = "identity"
    return shared_client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ids(client: httpx.AsyncClient) -> dict[str, str]:
    """What stands for the parameters of paths: a finished order, and what belongs to it."""
    order_id = await placed(client)
    await client.delete(f"/orders/{order_id}")
    order = (await client.get(f"/orders/{order_id}")).json()
    version = {"min_version": order["version"]}
    assert (await client.get(f"/order-details/{order_id}", params=version)).json() == order
    return {
        "order_id": order_id,
        "payment_id": order["payment_id"],
        "store_id": "gangnam",
        "menu_id": "latte",
        "name": "style.css",  # the pages' and the documentation's
    }


def address(path: str, ids: dict[str, str]) -> str:
    """Return an address that leads to a route, and to something that exists."""
    return re.sub(r"\{(\w+):id\}", lambda found: ids[found[1]], path)


async def raw(client: httpx.AsyncClient, **scope: Any) -> list[dict[str, Any]]:
    """Return the messages with which the application answers a request made by hand."""
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    sent: list[dict[str, Any]] = []
    body = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not body:
            await asyncio.Event().wait()
        return body.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    whole = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
        **scope,
    }
    async with asyncio.timeout(20):
        await transport.app(whole, receive, send)
    return sent


def code_of(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json"
    return str(response.json()["code"])


# --- methods ------------------------------------------------------------------------------------


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


# --- what the client takes ------------------------------------------------------------------------


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


# --- what the client sends ---------------------------------------------------------------------


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


# --- parameters ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), API)
async def test_a_parameter_that_is_not_known_is_refused_by_its_name(
    client: httpx.AsyncClient, ids: dict[str, str], method: str, path: str
) -> None:
    response = await client.request(method, address(path, ids) + "?picked_up=", json=CARD)
    assert response.status_code == 422
    if method != "HEAD":
        assert code_of(response) == "unknown_parameter"
        assert [error["pointer"] for error in response.json()["errors"]] == ["/picked_up"]


async def test_a_filter_of_another_list_is_not_ignored(client: httpx.AsyncClient) -> None:
    response = await client.get("/order-details?status=PICKED_UP")
    assert (response.status_code, code_of(response)) == (422, "unknown_parameter")
    assert "order_status" in response.json()["detail"]


@pytest.mark.parametrize("path", PAGES)
async def test_a_shared_link_to_a_page_may_say_where_it_comes_from(
    client: httpx.AsyncClient, ids: dict[str, str], path: str
) -> None:
    shared = await client.get(address(path, ids) + "?utm_source=mail&utm_source=x")
    assert shared.status_code == 200


@pytest.mark.parametrize("name", ["limit", "cursor", "store_id", "order_status", "customer_id"])
async def test_an_empty_parameter_is_not_valid(client: httpx.AsyncClient, name: str) -> None:
    response = await client.get(f"/order-details?{name}=")
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [f"/{name}"]


@pytest.mark.parametrize(
    "value",
    ["1_0", "4.0", "1e1", "0x1", "+5", "%2B5", "%205", "5%20", "%D9%A3", "%EF%BC%95", "5;6"],
)
@pytest.mark.parametrize(("path", "name"), [each for each in QUERIES if each[1] in NUMBERS])
async def test_a_number_is_written_in_digits(
    client: httpx.AsyncClient, ids: dict[str, str], path: str, name: str, value: str
) -> None:
    response = await client.get(f"{address(path, ids)}?{name}={value}")
    assert (response.status_code, code_of(response)) == (422, "invalid_request")
    assert [error["pointer"] for error in response.json()["errors"]] == [f"/{name}"]
    assert (await client.get(f"{address(path, ids)}?{name}=%35")).status_code == 200


@pytest.mark.parametrize(
    "value",
    [b"%ff", b"%ED%A0%80", b"%C0%80", b"a%e2%82", b"%EA%B0%95%ff", b"\xea\xb0\x95", b"\xff"],
)
@pytest.mark.parametrize(("path", "name"), QUERIES)
async def test_a_parameter_that_is_no_text_is_not_looked_for(
    client: httpx.AsyncClient, ids: dict[str, str], path: str, name: str, value: bytes
) -> None:
    query = name.encode() + b"=" + value
    [start, *bodies] = await raw(client, path=address(path, ids), query_string=query)
    problem = json.loads(b"".join(each["body"] for each in bodies))
    assert (start["status"], problem["code"]) == (422, "invalid_request")
    assert [error["pointer"] for error in problem["errors"]] == [f"/{name}"]


async def test_a_parameter_may_be_any_text_in_utf_8(client: httpx.AsyncClient) -> None:
    customer = UNPAID["customer"] | {"id": "강남 100%"}
    order_id = await placed(client, UNPAID | {"customer": customer})
    seen = await client.get(f"/order-details/{order_id}?min_version=1")
    assert seen.json()["customer"]["id"] == "강남 100%"
    for value in ("%EA%B0%95%EB%82%A8+100%25", "%EA%B0%95%EB%82%A8%20100%"):
        found = (await client.get(f"/order-details?customer_id={value}")).json()["items"]
        assert [order["order_id"] for order in found] == [order_id]


# --- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/orders/",
        "//orders",
        "/stores/../stores",
        "/Stores",
        "/stores/gangnam/",
        "/my/",
        "/강남",
        "/stores/강남",
        # What is not UTF-8 comes as this from the server.
        "/stores/\ufffd",
        "/orders/\ufffd",
        "/stores/gangnam\ufffd/menu",
    ],
)
async def test_an_address_is_what_it_is_and_nothing_like_it(
    client: httpx.AsyncClient, path: str
) -> None:
    [start, *_] = await raw(client, path=path)
    assert start["status"] == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/my/", 404),
        ("GET", "/orders/nobody", 404),
        ("GET", "/order-details/nobody", 404),
        ("GET", "/static/nothing.js", 404),
        ("GET", "/orders", 405),
        ("POST", "/my", 405),
    ],
)
@pytest.mark.parametrize(("wish", "language"), [("ko-KR,ko;q=0.9", "ko"), ("en", "en")])
async def test_people_who_are_lost_get_a_page_with_a_way_home(
    client: httpx.AsyncClient, method: str, path: str, status: int, wish: str, language: str
) -> None:
    asked = {"Accept": BROWSER, "Accept-Language": wish}
    page = await client.request(method, path, headers=asked)
    program = await client.request(method, path, headers={"Accept": "*/*"})

    assert page.status_code == program.status_code == status
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-language"] == language
    assert page.headers["cache-control"] == "no-store"
    assert "unsafe" not in page.headers["content-security-policy"]
    assert '<a class="button primary" href="/"' in page.text
    assert ("여기에는 아무것도 없어요" in page.text) == (language == "ko")
    assert program.json()["status"] == status
    for answer in (page, program):
        assert "Accept" in answer.headers["vary"]
        assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    "accept", ["application/json", "application/json, text/html", "text/html;q=0.5, */*", "*/*"]
)
async def test_a_program_that_is_lost_gets_a_problem_document(
    client: httpx.AsyncClient, accept: str
) -> None:
    response = await client.get("/nowhere", headers={"Accept": accept})
    assert (response.status_code, code_of(response)) == (404, "not_found")


# --- versions -----------------------------------------------------------------------------------


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
