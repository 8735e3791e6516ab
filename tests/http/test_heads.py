"""Heads of requests that HAProxy answers itself: what is too much, and what is about no address."""

import json
import socket
from http.client import HTTPResponse

import httpx
import pytest

from tests.system import System


def ask(system: System, line: str, *fields: str) -> HTTPResponse:
    """Send a head as it is, and return the answer, read."""
    head = "\r\n".join([f"{line} HTTP/1.1", f"Host: 127.0.0.1:{system.port}", *fields, "", ""])
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
