"""Customers who follow their orders: each goes on after an interruption from the last it saw."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from cluster.headings.load import http_request
from cluster.headings.site import Site

AGAIN_S = 0.5
"""How long one who was interrupted waits, as a browser does."""
OK = 200


class Follower:
    """Follows one order. `ended` and `cut` count streams that stopped before the order's end.

    A stream that ends says so; where the connection goes before that, it was cut. Who is told again
    what it has seen, or something older, gets it as a `problem`.
    """

    def __init__(self, site: Site, order_id: str, last: bytes) -> None:
        self._site, self._order_id, self._last = site, order_id, last
        self.version = self.ended = self.cut = 0
        self.problems: list[str] = []

    async def follow(self) -> None:
        """Return once the order's last status has been seen."""
        while True:
            if await self._connected():
                return
            await asyncio.sleep(AGAIN_S)

    async def _connected(self) -> bool:
        """Read one stream; return whether it told the order's last status."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._site.port)
        except OSError as error:
            self.problems.append(f"{self._order_id}: {error!r}")
            return False
        try:
            writer.write(self._request())
            return await self._read(reader)
        except (OSError, asyncio.IncompleteReadError):
            self.cut += 1
            return False
        finally:
            writer.close()

    def _request(self) -> bytes:
        headers = {"Last_Event_ID": str(self.version), "Accept": "text/event-stream"}
        if self._site.token is not None:
            headers["Authorization"] = f"Bearer {self._site.token}"
        return http_request("GET", f"/orders/{self._order_id}/stream", **headers)

    async def _read(self, reader: asyncio.StreamReader) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        if int(head[9:12]) != OK:
            self.problems.append(f"{self._order_id}: {head[:40]!r}")
            return False
        while size := int(await reader.readuntil(b"\r\n"), 16):
            # One event is one piece: so does the gateway write it.
            event = (await reader.readexactly(size + 2))[:-2]
            if event.startswith(b"event: "):
                self._see(event)
            if self._last in event:
                return True
        self.ended += 1
        return False

    def _see(self, event: bytes) -> None:
        version = int(event.partition(b"id: ")[2].partition(b"\n")[0])
        if version <= self.version:
            self.problems.append(f"{self._order_id}: version {version} after {self.version}")
        self.version = version


@asynccontextmanager
async def followed(
    site: Site, order_ids: Sequence[str], last: bytes
) -> AsyncIterator[list[tuple[Follower, asyncio.Task[None]]]]:
    """Follow orders, each until `last` is told of it, at most for as long as the block lasts."""
    followers = [Follower(site, order_id, last) for order_id in order_ids]
    tasks = [asyncio.create_task(follower.follow()) for follower in followers]
    try:
        yield list(zip(followers, tasks, strict=True))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
