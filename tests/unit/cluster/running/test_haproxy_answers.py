"""What HAProxy answers itself, with the configuration that it runs with, and what it hands on."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from cluster.running.haproxy_config import LARGEST_BODY
from serve_app.middleware.request_body import MAX_BODY
from serve_app.middleware.security_headers import ALWAYS, UNLESS_SET
from tests.support.haproxy import PATIENCE, in_front_of

WEBSOCKET = """\
Connection: Upgrade
Upgrade: websocket
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Version: 13"""
LISTED = "Connection: keep-alive, Upgrade\nUpgrade: h2c, websocket/13\nUpgrade: other"

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
INVALID = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 31\r\n\r\nInvalid HTTP request received.\n"
)
"""What a replica's server says of what it cannot read."""


class Front:
    """HAProxy before a replica that answers 200 and keeps the heads of what it was asked."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                if "/-/healthz" not in head:
                    self.seen.append(head)
                if "content-length: 2\r\n" in head:
                    await reader.readexactly(2)
                writer.write(INVALID if "\x01" in head else FINE)
                await writer.drain()
        writer.close()

    async def ask(self, line: str, *fields: str, host: bool = True, body: str = "") -> "Answer":
        """Send a head as it is; return the answer, and whether the connection ends behind it."""
        self.seen.clear()
        asked = [line, *(["Host: localhost"] if host else []), *"\n".join(fields).splitlines()]
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write("\r\n".join([*asked, "", body]).encode("latin-1"))
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            answer = Answer(head)
            if not line.startswith("HEAD ") and "content-length" in answer.headers:
                answer.body = await reader.readexactly(int(answer.headers["content-length"]))
            if answer.headers.get("connection") == "close":
                assert await reader.read() == b""
            writer.close()
        return answer


class Answer:
    """The first thing that came: 100 Continue would be one, too."""

    def __init__(self, head: str) -> None:
        line, *fields = head.strip().split("\r\n")
        self.status = int(line.split()[1])
        pairs = (field.partition(": ") for field in fields)
        self.headers = httpx.Headers([(name, value) for name, _, value in pairs])
        self.body = b""

    def code(self) -> str:
        """Return the code of the problem document that it has to be."""
        assert self.headers["content-type"] == "application/problem+json"
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        return str(problem["code"])


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    front = Front()
    async with await asyncio.start_server(front.serve, "127.0.0.1", 0) as replica:
        port = replica.sockets[0].getsockname()[1]
        async with in_front_of({"one": port}, tmp_path) as client:
            front.port = client.base_url.port or 0
            yield front


# --- another protocol ----------------------------------------------------------------------------


async def test_an_offer_to_speak_another_protocol_is_ignored(front: Front) -> None:
    """RFC 9110, section 7.8: a server may ignore it, and the request is answered as usual."""
    for offer in (WEBSOCKET, LISTED, "Connection: Upgrade\nUpgrade: TLS/1.0"):
        for answer in (
            await front.ask("GET / HTTP/1.1", offer),
            await front.ask("POST /orders HTTP/1.1", offer, "Content-Length: 2", body="{}"),
        ):
            assert (answer.status, answer.body) == (200, b"fine")
            (head,) = front.seen
            assert "\r\nupgrade:" not in head


# --- bodies --------------------------------------------------------------------------------------


def test_the_gateway_takes_no_other_bodies_than_haproxy() -> None:
    assert LARGEST_BODY == MAX_BODY


@pytest.mark.parametrize("method", ["POST", "DELETE", "GET"])
async def test_a_body_that_is_announced_as_too_large_is_refused_at_once(
    front: Front, method: str
) -> None:
    for length in (MAX_BODY + 1, 10**7, 2**31, 2**32, 2**32 + 1, 2**63 - 1, 2**64 - 1, 2**64):
        announced = f"Content-Length: {length}"
        for expects in ((), ("Expect: 100-continue",)):
            answer = await front.ask(f"{method} /orders HTTP/1.1", announced, *expects)
            assert (answer.status, answer.code()) == (413, "body_too_large"), length
            assert answer.headers["connection"] == "close"
            assert front.seen == []


async def test_a_small_body_is_handed_on_however_its_length_is_written(front: Front) -> None:
    for length in ("2", "0000000000000000000000000002"):
        answer = await front.ask("POST /orders HTTP/1.1", f"Content-Length: {length}", body="{}")
        assert answer.status == 200


async def test_a_body_of_just_the_limit_is_asked_for(front: Front) -> None:
    head = ("POST /orders HTTP/1.1", f"Content-Length: {MAX_BODY}", "Expect: 100-continue")
    assert (await front.ask(*head)).status == 100


# --- versions ------------------------------------------------------------------------------------


async def test_a_version_that_nobody_speaks_here_is_named(front: Front) -> None:
    for version in ("2.0", "3.0", "0.9"):
        for host in (True, False):
            answer = await front.ask(f"GET /stores HTTP/{version}", host=host)
            assert (answer.status, answer.code()) == (505, "version_not_supported")
            assert answer.headers["connection"] == "close"
            assert front.seen == []


async def test_a_version_of_the_same_kind_is_served(front: Front) -> None:
    """RFC 9110, section 2.5: a higher minor version is read as the highest that is known."""
    for version in ("1.0", "1.1", "1.2"):
        assert (await front.ask(f"GET /stores HTTP/{version}")).status == 200


# --- smuggling -----------------------------------------------------------------------------------


async def test_a_body_whose_end_is_not_certain_is_not_handed_on(front: Front) -> None:
    for fields in (
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: gzip\nContent-Length: 2",
        "Content-Length: 2\nContent-Length: 3",
        "Content-Length: +2",
        "Content-Length: 0x2",
    ):
        answer = await front.ask("POST /orders HTTP/1.1", fields, body="0\r\n\r\n")
        assert 400 <= answer.status < 500, fields
        assert front.seen == []


async def test_an_address_of_another_host_than_the_one_named_is_not_handed_on(front: Front) -> None:
    for host in ("other", "localhost:1", "127.0.0.1"):
        answer = await front.ask(f"GET http://{host}/stores HTTP/1.1")
        assert answer.status == 400
        assert front.seen == []


# --- how it answers ------------------------------------------------------------------------------


REFUSED = [
    ("/stores HTTP/2.0", "", 505),
    ("* HTTP/1.1", "", 400),
    (f"/{'a' * 9000} HTTP/1.1", "", 414),
    ("/stores HTTP/1.1", "X: a\n" * 101, 431),
    ("/stores HTTP/1.1", "X: " + "a" * 13_000, 431),
    ("/stores HTTP/1.1", "Content-Length: 65537", 413),
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "NARA"])
async def test_its_own_refusals_have_the_headers_of_all_others(front: Front, method: str) -> None:
    for line, fields, status in REFUSED:
        answer = await front.ask(f"{method} {line}", fields)
        assert answer.status == (status if method != "NARA" or status == 505 else 501)
        assert answer.headers["content-type"] == "application/problem+json"
        for name, value in [*ALWAYS, *UNLESS_SET.items()]:
            assert answer.headers[name.decode()] == value.decode()
        if method != "HEAD":
            assert answer.code()


async def test_what_a_replica_cannot_read_is_refused_the_same_way(front: Front) -> None:
    answer = await front.ask("GET /stores HTTP/1.1", "X: \x01")
    assert (answer.status, answer.code()) == (400, "bad_request")
    assert answer.headers["cache-control"] == "no-store"
