"""A load generator that costs little: raw HTTP/1.1 over asyncio, a fixed number of connections.

It runs in a process of its own, checks every answer, and stops by itself after `seconds`.
"""

import asyncio
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Request = tuple[bytes, int, bytes]
"""Bytes to send, the status that must come back, and what its body must contain."""


@dataclass
class Result:
    """What one run saw. Latencies in milliseconds."""

    requests: int = 0
    seconds: float = 0.0
    errors: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0


class Connection(asyncio.Protocol):
    """One keep-alive connection that sends the next request as soon as the last is answered."""

    def __init__(self, next_request: Callable[[], Request | None], result: Result) -> None:
        self._next_request = next_request
        self._result = result
        self._buffer = b""
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        request = self._next_request()
        if request is None:
            self._transport.close()
            return
        data, self._status, self._needle = request
        self._began = time.perf_counter()
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            return
        self._buffer = b""
        self._result.latencies.append((time.perf_counter() - self._began) * 1000)
        self._result.requests += 1
        if int(head[9:12]) != self._status or self._needle not in body:
            self._result.errors.append(f"{head[:60]!r} {body[:200]!r}")
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._result.errors.append(repr(exc))
        if not self.closed.done():
            self.closed.set_result(None)


def _content_length(head: bytes) -> int:
    start = head.lower().find(b"content-length:")
    return int(head[start + 15 :].partition(b"\r")[0]) if start >= 0 else 0


def http_request(method: str, path: str, body: object = None, **headers: str) -> bytes:
    """Return the bytes of a request; `headers` use underscores for hyphens."""
    payload = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(payload)}"]
    if body is not None:
        lines.append("Content-Type: application/json")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + payload


async def run(port: int, requests: Iterator[Request], connections: int, seconds: float) -> Result:
    """Send requests over `connections` connections for `seconds`, and return what came back."""
    result = Result()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    cpu = time.process_time()

    def next_request() -> Request | None:
        return next(requests, None) if loop.time() < deadline else None

    began = time.perf_counter()
    opened = [
        await loop.create_connection(lambda: Connection(next_request, result), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(connection.closed for _, connection in opened))
    result.seconds = time.perf_counter() - began
    result.cpu_seconds = time.process_time() - cpu
    return result


def run_in_own_process(
    port: int, workload: Callable[[], Iterator[Request]], connections: int, seconds: float
) -> Result:
    """Like `run`, in a new process, so that the generator shares nothing with who measures."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, (port, workload, connections, seconds))


def _run(
    port: int, workload: Callable[[], Iterator[Request]], connections: int, seconds: float
) -> Result:
    return asyncio.run(run(port, workload(), connections, seconds))
