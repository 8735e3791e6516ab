"""Clients who take much and give little: who follow an order for ever, or never end a request."""

import asyncio
import resource
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from cluster.headings.load import http_request
from cluster.headings.site import Site

AT_A_TIME = 100
"""Connections that are opened at once: more would have to wait for each other anyway."""
OPENED_S = 90.0
BYTE_EVERY_S = 1.0
BODY_BYTES = 1000
UNAVAILABLE = 503


class Hogs:
    """Many connections that send `first`. `statuses` counts the answers.

    `impolite` counts refusals with 503 that do not say when to come again.
    """

    def __init__(self, port: int, first: bytes) -> None:
        self.first = first
        self.statuses: Counter[int] = Counter()
        self.impolite = 0
        self.here: set[_Hog] = set()
        self._port = port
        self._awaited = 0
        self._are_answered = asyncio.Event()

    async def come(self, count: int) -> None:
        """Let so many more connect; who is not let in counts as status 0."""
        for begun in range(0, count, AT_A_TIME):
            coming = [self._connect() for _ in range(min(AT_A_TIME, count - begun))]
            await asyncio.gather(*coming)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: _Hog(self), "127.0.0.1", self._port)
        except OSError:
            self.statuses[0] += 1

    def answered(self, head: bytes) -> None:
        """Take note of the head of an answer."""
        status = int(head[9:12])
        self.statuses[status] += 1
        if self.statuses.total() >= self._awaited:
            self._are_answered.set()
        self.impolite += status == UNAVAILABLE and b"\r\nretry-after: " not in head.lower()

    async def are_answered(self, count: int) -> None:
        """Wait until there are so many answers."""
        self._awaited = count
        self._are_answered.clear()
        if self.statuses.total() < count:
            await self._are_answered.wait()

    def say(self, more: bytes) -> None:
        """Let each that is still connected send this."""
        for hog in self.here:
            hog.transport.write(more)

    def go(self) -> None:
        """Let all leave."""
        for hog in list(self.here):
            hog.transport.abort()


class _Hog(asyncio.Protocol):
    def __init__(self, hogs: Hogs) -> None:
        self._hogs = hogs
        self._head: bytes | None = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._hogs.here.add(self)
        transport.write(self._hogs.first)

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            self._head += data
            if b"\r\n\r\n" in self._head:
                head, self._head = self._head, None
                self._hogs.answered(head)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        self._hogs.here.discard(self)


@asynccontextmanager
async def idle_streams(site: Site, order_id: str, count: int) -> AsyncIterator[Hogs]:
    """Follow one order `count` times while the block lasts, which begins once all are answered."""
    headers = {"Accept": "text/event-stream"} | _authorization(site)
    request = http_request("GET", f"/orders/{order_id}/stream", **headers)
    async with _hogs(site, request) as hogs:
        with suppress(TimeoutError):
            async with asyncio.timeout(OPENED_S):
                await hogs.come(count)
                await hogs.are_answered(count)
        yield hogs


@asynccontextmanager
async def slow_bodies(site: Site, count: int) -> AsyncIterator[Hogs]:
    """Send `count` bodies, one byte a second, while the block lasts; who is cut off comes again."""
    head = http_request("POST", "/orders", **_authorization(site))
    head = head.replace(b"Content-Length: 0", b"Content-Length: %d" % BODY_BYTES)
    async with _hogs(site, head) as hogs:
        await hogs.come(count)
        feeding = asyncio.create_task(_feed(hogs, count))
        try:
            yield hogs
        finally:
            feeding.cancel()


async def _feed(hogs: Hogs, count: int) -> None:
    while True:
        await asyncio.sleep(BYTE_EVERY_S)
        hogs.say(b"x")
        await hogs.come(count - len(hogs.here))


@asynccontextmanager
async def _hogs(site: Site, first: bytes) -> AsyncIterator[Hogs]:
    _allow_files()
    hogs = Hogs(site.port, first)
    try:
        yield hogs
    finally:
        hogs.go()


def _authorization(site: Site) -> dict[str, str]:
    return {} if site.token is None else {"Authorization": f"Bearer {site.token}"}


def _allow_files() -> None:
    """Let this process open as many files as it may: each connection is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
