"""Heads of requests that HAProxy answers itself: what is too much, and what is about no address."""

import json
import socket
from http.client import HTTPResponse

import httpx
import pytest

from tests.support.outside import headers, new_order
from tests.support.system import System


def ask(system: System, line: str, *fields: str, body: str = "", host: bool = True) -> HTTPResponse:
    """Send a head as it is, and return the answer, read."""
    line = line if " HTTP/" in line else f"{line} HTTP/1.1"
    hosts = [f"Host: 127.0.0.1:{system.port}"] if host else []
    head = "\r\n".join([line, *hosts, *fields, "", body])
    with socket.create_connection(("127.0.0.1", system.port), timeout=30) as connection:
        connection.sendall(head.encode())
        answer = HTTPResponse(connection, method=line.partition(" ")[0])
        answer.begin()
        answer.body = answer.read()  # type: ignore[attr-defined]
    return answer


def told(answer: HTTPResponse) -> tuple[int, str]:
    """Return the status, and the code of the problem document."""
    assert answer.getheader("content-type") == "application/problem+json"
    problem = json.loads(answer.body)  # type: ignore[attr-defined]
    assert problem["status"] == answer.status
    return answer.status, problem["code"]


@pytest.mark.parametrize("length", [8193, 15_000])
def test_an_address_that_is_too_long_is_named_so(system: System, length: int) -> None:
    answer = ask(system, f"GET /{'a' * (length - 1)}")
    assert told(answer) == (httpx.codes.REQUEST_URI_TOO_LONG, "address_too_long")


@pytest.mark.parametrize(
    "fields",
    [
        ["X-Large: " + "a" * 13_000],
        [f"X-{n}: {'a' * 400}" for n in range(32)],
        [f"X-{n}: a" for n in range(101)],
        [f"X-{n}: a" for n in range(200)],
    ],
)
def test_fields_that_are_too_much_are_named_so(system: System, fields: list[str]) -> None:
    answer = ask(system, "GET /stores", *fields)
    assert told(answer) == (httpx.codes.REQUEST_HEADER_FIELDS_TOO_LARGE, "fields_too_large")


def test_what_is_just_not_too_much_is_served(system: System) -> None:
    fields = [f"X-{n}: {'a' * 100}" for n in range(95)]
    assert ask(system, "GET /healthz", *fields).status == 200
    assert ask(system, f"GET /healthz?{'a' * 8000}").status == 422  # no such parameter


@pytest.mark.parametrize("address", ["*", "http://127.0.0.1:{port}"])
def test_options_of_the_whole_system_name_all_methods(system: System, address: str) -> None:
    answer = ask(system, f"OPTIONS {address.format(port=system.port)}")
    assert answer.status == httpx.codes.NO_CONTENT
    allowed = (answer.getheader("allow") or "").split(", ")
    document = system.http.get("/openapi.json").json()
    known = {method.upper() for path in document["paths"].values() for method in path}
    assert set(allowed) == known | {"HEAD", "OPTIONS"}


@pytest.mark.parametrize("line", ["GET *", "POST *", "GET stores", "OPTIONS stores"])
def test_what_is_no_address_is_the_client_s_fault(system: System, line: str) -> None:
    assert told(ask(system, line)) == (httpx.codes.BAD_REQUEST, "bad_request")


@pytest.mark.parametrize("field", ["X: \x01", "X: a\x7f"])
def test_what_has_characters_that_no_field_may_have_is_the_client_s_fault(
    system: System, field: str
) -> None:
    assert told(ask(system, "GET /stores", field)) == (httpx.codes.BAD_REQUEST, "bad_request")
    assert told(ask(system, "GET http:///stores")) == (httpx.codes.BAD_REQUEST, "bad_request")


@pytest.mark.parametrize("path", ["/stores", "/order-details"])
def test_an_address_with_its_host_is_as_one_without(system: System, path: str) -> None:
    answer = ask(system, f"GET http://127.0.0.1:{system.port}{path}")
    assert answer.status == ask(system, f"GET {path}").status == httpx.codes.OK


def test_an_address_with_another_host_is_not_the_owner_s(system: System) -> None:
    assert ask(system, "GET http://other/order-details").status == httpx.codes.BAD_REQUEST
    line = "GET http://other/order-details HTTP/1.1\r\nHost: other"
    assert ask(system, line, host=False).status == httpx.codes.UNAUTHORIZED


@pytest.mark.parametrize("version", ["2.0", "0.9"])
def test_a_version_that_nobody_speaks_here_is_named(system: System, version: str) -> None:
    answer = ask(system, f"GET /stores HTTP/{version}")
    assert told(answer) == (httpx.codes.HTTP_VERSION_NOT_SUPPORTED, "version_not_supported")


WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)


@pytest.mark.parametrize("offer", [WEBSOCKET, ("Connection: Upgrade", "Upgrade: h2c")])
def test_an_offer_to_speak_another_protocol_is_ignored(
    system: System, offer: tuple[str, ...]
) -> None:
    order = system.http.post("/orders", json=new_order(), headers=headers()).json()
    for path in ("/", "/stores", f"/orders/{order['order_id']}", "/nowhere"):
        usual, offered = ask(system, f"GET {path}"), ask(system, f"GET {path}", *offer)
        assert offered.status == usual.status
        assert offered.getheader("content-type") == usual.getheader("content-type")
    stream = ask(system, f"HEAD /orders/{order['order_id']}/stream", *offer)
    assert stream.status == httpx.codes.OK
    assert (stream.getheader("content-type") or "").startswith("text/event-stream")
    placed = system.http.post(
        "/orders", json=new_order(), headers=headers() | dict(each.split(": ") for each in offer)
    )
    assert placed.status_code == httpx.codes.CREATED


@pytest.mark.parametrize("length", [65_537, 10**9, 2**32 + 1, 2**64])
@pytest.mark.parametrize("expects", [(), ("Expect: 100-continue",)])
def test_a_body_that_is_announced_as_too_large_is_not_waited_for(
    system: System, length: int, expects: tuple[str, ...]
) -> None:
    answer = ask(system, "POST /orders", f"Content-Length: {length}", *expects)
    assert told(answer) == (httpx.codes.REQUEST_ENTITY_TOO_LARGE, "body_too_large")
    assert answer.getheader("connection") == "close"


def test_a_large_body_that_is_sent_all_the_same_is_refused(system: System) -> None:
    answer = system.http.post("/orders", content=b" " * 1_000_000, headers=headers())
    assert answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
    assert answer.json()["code"] == "body_too_large"


def test_chunks_that_become_too_much_are_refused_while_more_may_come(system: System) -> None:
    chunk = "10000\r\n" + " " * 65_536 + "\r\n1\r\n \r\n"
    answer = ask(system, "POST /orders", "Transfer-Encoding: chunked", body=chunk)
    assert told(answer) == (httpx.codes.REQUEST_ENTITY_TOO_LARGE, "body_too_large")
    assert answer.getheader("connection") == "close"


def test_what_haproxy_refuses_is_headed_as_what_the_gateway_refuses(system: System) -> None:
    gateway = ask(system, "GET /nowhere")
    fields = {name.lower(): value for name, value in gateway.getheaders()}
    for name in ("content-length", "vary", "date", "server", "x-request-id"):
        fields.pop(name, None)
    for line, field in (
        ("NARA /stores", "X: a"),
        ("GET *", "X: a"),
        ("GET /stores HTTP/2.0", "X: a"),
        (f"GET /{'a' * 9000}", "X: a"),
        ("GET /stores", "X: " + "a" * 13_000),
        ("POST /orders", "Content-Length: 99999"),
    ):
        answer = ask(system, line, field)
        assert fields.items() <= {n.lower(): v for n, v in answer.getheaders()}.items(), line
