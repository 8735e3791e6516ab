"""A small system on which somebody takes whatever there is to take; others are served meanwhile."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse

import httpx
import pytest

from tests.outside import ASYNC, headers, new_order
from tests.system import System, eventually

PLACES = 20
MORE = 2 * PLACES


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of one replica that works on few requests at a time."""
    system = System(
        tmp_path_factory.mktemp("small") / "data",
        max_in_flight=PLACES,
        gateway_min_replicas=1,
        gateway_max_replicas=1,
    )
    system.start()
    yield system
    system.stop()


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


def others_are_served(system: System) -> bool:
    """Whether a stranger can read, begin a session and order."""
    order = system.http.post("/orders", json=new_order(), headers=headers(prefer=ASYNC))
    answers = [
        order,
        system.http.get("/order-details", params={"limit": 1}),
        system.http.get("/stores"),
        system.http.post("/session"),
        system.http.get("/readyz"),
    ]
    return all(answer.is_success for answer in answers)


def test_bodies_that_never_come_keep_nobody_waiting_and_are_given_up(
    small: System, sockets: ExitStack
) -> None:
    held = [send(small, sockets, request(small, b"{", 400)) for _ in range(MORE)]

    eventually(lambda: others_are_served(small), "others are served", within=30)
    for connection in held:
        connection.settimeout(30)
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.status == httpx.codes.REQUEST_TIMEOUT
        assert json.loads(answer.read())["code"] == "body_too_late"


def test_whoever_waits_for_an_order_keeps_nobody_waiting(small: System, sockets: ExitStack) -> None:
    body = json.dumps(new_order("tok_slow_60000")).encode()
    slow = request(small, body, len(body), "Prefer: wait=30")
    waiting = [send(small, sockets, slow) for _ in range(PLACES)]

    eventually(lambda: others_are_served(small), "others are served", within=25)
    for connection in waiting:
        connection.settimeout(0)
        with pytest.raises(BlockingIOError):
            connection.recv(1)


def test_a_body_that_comes_slowly_is_an_order_all_the_same(
    small: System, sockets: ExitStack
) -> None:
    body = json.dumps(new_order()).encode()
    connection = send(small, sockets, request(small, body[:9], len(body), "Prefer: wait=20"))
    for byte in body[9:]:
        connection.sendall(bytes([byte]))
    connection.settimeout(30)
    assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")
