"""Somebody takes whatever there is to take of a system; others are served meanwhile."""

import json
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse

import httpx
import pytest

from tests.support.outside import ASYNC, headers, new_order
from tests.support.system import PUBLIC_PLACES, System, eventually

PLACES = 3 * PUBLIC_PLACES
"""Of as many replicas as there may be."""


@pytest.fixture(scope="module")
def owner(public: System) -> dict[str, str]:
    token = public.siren("token", "--role", "owner").stdout.strip()
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    """What a test opens, closed at its end."""
    with ExitStack() as opened:
        yield opened


def send(system: System, sockets: ExitStack, request: bytes) -> socket.socket:
    connection = sockets.enter_context(socket.create_connection(("127.0.0.1", system.port)))
    connection.sendall(request)
    return connection


def request(system: System, body: bytes, length: int, *lines: str) -> bytes:
    head = ["POST /orders HTTP/1.1", f"Host: 127.0.0.1:{system.port}", f"Content-Length: {length}"]
    return "\r\n".join([*head, *lines, "", ""]).encode() + body


def is_answered(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0)[0])


def authorization(owner: dict[str, str]) -> str:
    return f"Authorization: {owner['Authorization']}"


def others_are_served(system: System, owner: dict[str, str]) -> bool:
    """Whether somebody else can order, read and begin a session."""
    soon = owner | headers(prefer=ASYNC)
    answers = [
        system.http.post("/orders", json=new_order(), headers=soon),
        system.http.get("/order-details", params={"limit": 1}, headers=owner),
        system.http.get("/stores", headers=owner),
        system.http.post("/session"),
        system.http.get("/readyz"),
    ]
    return all(answer.is_success for answer in answers)


def test_bodies_that_never_come_keep_nobody_waiting_and_are_given_up(
    public: System, owner: dict[str, str], sockets: ExitStack
) -> None:
    held = [send(public, sockets, request(public, b"{", 400)) for _ in range(PLACES)]

    eventually(lambda: others_are_served(public, owner), "others are served", within=30)
    for connection in held:
        connection.settimeout(30)
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.status == httpx.codes.REQUEST_TIMEOUT
        assert json.loads(answer.read())["code"] == "body_too_late"
        assert connection.recv(1) == b""


def test_whoever_waits_for_an_order_keeps_nobody_waiting(
    public: System, owner: dict[str, str], sockets: ExitStack
) -> None:
    body = json.dumps(new_order("tok_slow_60000")).encode()
    slow = request(public, body, len(body), "Prefer: wait=30", authorization(owner))
    waiting = [send(public, sockets, slow) for _ in range(PLACES)]

    eventually(lambda: others_are_served(public, owner), "others are served", within=25)
    assert len(waiting) - sum(map(is_answered, waiting)) >= PUBLIC_PLACES  # the others: 503


def test_a_body_that_comes_slowly_is_an_order_all_the_same(
    public: System, owner: dict[str, str], sockets: ExitStack
) -> None:
    body = json.dumps(new_order()).encode()
    connection = send(
        public,
        sockets,
        request(public, body[:9], len(body), "Prefer: wait=20", authorization(owner)),
    )
    for byte in body[9:]:
        connection.sendall(bytes([byte]))
    connection.settimeout(30)
    assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")
