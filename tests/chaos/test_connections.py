"""Connections that send nothing, too slowly or half: the shop goes on beside them."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import psutil
import pytest

from cluster.running.processes import title_of
from tests.support.outside import new_order, place
from tests.support.system import System, connections_of

pytestmark = pytest.mark.timeout(300)

MANY = 4200
HEAD_S = 10
"""How long a client may take for the head of a request."""


def test_the_shop_goes_on_beside_idle_connections_to_every_port(system: System) -> None:
    others = _ports(system) - {system.port}
    assert len(others) == 2
    with ExitStack() as idle:
        for port in (system.port, *others):
            idle.enter_context(_idle(port, MANY))
        assert place(system, new_order())["order_status"] == "ACCEPTED"
        assert system.http.get("/stores").status_code == 200


def test_a_head_that_does_not_come_in_time_ends_the_connection(system: System) -> None:
    """With an answer where there was a question: a browser opens connections for later, too."""
    with _connection(system.port) as silent, _connection(system.port) as slow:
        slow.sendall(b"GET /stores HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        slow.settimeout(1)
        answer = b""
        deadline = time.monotonic() + 3 * HEAD_S
        while not answer and time.monotonic() < deadline:
            try:
                slow.sendall(b"a")
                answer = slow.recv(1000)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert silent.recv(1000) == b""


@pytest.mark.parametrize("size", [9_000, 20_000, 200_000])
def test_an_address_that_is_too_long_is_refused_as_the_client_s_fault(
    system: System, size: int
) -> None:
    with _connection(system.port) as connection:
        head = f"GET /{'a' * size} HTTP/1.1\r\nHost: localhost:{system.port}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 4")


def test_a_client_that_closes_its_sending_side_gets_its_answer(system: System) -> None:
    body = (
        b'{"customer": {"id": "%s", "name": "N", "tel": "010-1234-5678"}, "store_id": "gangnam",'
        b' "items": [{"menu_id": "latte", "quantity": 1}],'
        b' "payment": {"method": "card", "token": "tok_slow_1500"}}' % uuid4().hex.encode()
    )
    head = (
        f"POST /orders HTTP/1.1\r\nHost: 127.0.0.1:{system.port}\r\nPrefer: wait=30\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with _connection(system.port) as connection:
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert b'"payment_status":"APPROVED"' in answer


@contextmanager
def _idle(port: int, number: int) -> Iterator[None]:
    """Connections that say nothing; those that a full port does not take wait in its queue."""
    with ExitStack() as opened:
        for _ in range(number):
            connection = opened.enter_context(socket.socket())
            connection.settimeout(0)
            connection.connect_ex(("127.0.0.1", port))
        yield


@contextmanager
def _connection(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=3 * HEAD_S) as connection:
        yield connection


def _ports(system: System) -> set[int]:
    """Return what HAProxy listens on."""
    return {
        connection.laddr.port
        for process in system.processes()
        if "/haproxy " in title_of(process)
        for connection in connections_of(process)
        if connection.status == psutil.CONN_LISTEN
    }
