"""A load generator that costs little: raw HTTP/1.1 over asyncio, a fixed number of connections.

It runs in a process of its own, checks every answer, and stops by itself after `seconds`.
"""

import asyncio
import json
import math
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import NamedTuple

from cluster.headings.own_process import in_own_process

LEAD_S = 0.5
"""How long a run loads before it counts: longer than an answer takes."""
GRACE_S = 30.0
"""How long after its end a run waits for the answers that are still out."""
REFUSED_S = 0.02
"""How long a connection that was refused waits before it is tried again."""


class Labelled(NamedTuple):
    """A request whose latency is kept under `kind`, and the body of whose right answer is learnt.

    `data` are the bytes to send, `status` must come back, and the body must contain `needle`.
    `or_status` is as good: HAProxy may have repeated the request, and a repeat may be told so.
    """

    data: bytes
    status: int
    needle: bytes
    kind: str = ""
    learn: Callable[[bytes], None] | None = None
    or_status: int = 0


Request = tuple[bytes, int, bytes] | Labelled
"""Bytes to send, the status that must come back, and what its body must contain."""
NextRequest = Callable[[], Request | None]
Workload = Callable[[], Iterator[Request]]
"""Makes the requests of one run, in the generator's process: it must be picklable."""


@dataclass
class Result:
    """What one run saw. Latencies in milliseconds, by the kind of the request.

    `requests` are all, but only those answered within the `seconds` that counted are `counted`,
    and only those sent after their beginning have a latency: while a run begins and ends not all
    connections are busy. `errors` holds wrong answers and lost connections at any time; `lost`
    counts the latter. `cores` is what the run itself used.
    """

    counts_from: float
    counts_until: float
    requests: int = 0
    counted: int = 0
    seconds: float = 0.0
    errors: list[str] = field(default_factory=list)
    lost: int = 0
    by_kind: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cores: float = 0.0

    @property
    def rate(self) -> float:
        """Return the answers a second."""
        return self.counted / self.seconds if self.seconds > 0 else 0.0

    @property
    def latencies(self) -> list[float]:
        """Return those of all kinds."""
        return list(chain.from_iterable(self.by_kind.values()))


class _Connection(asyncio.Protocol):
    """One keep-alive connection that sends the next request as soon as the last is answered."""

    def __init__(self, next_request: NextRequest, result: Result, *, reopen: bool) -> None:
        self._next_request = next_request
        self._result = result
        self._reopen = reopen
        self._buffer = b""
        self._asked: Labelled | None = None
        self.goes_on = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        request = self._next_request()
        if request is None:
            self._asked = None
            self._transport.close()
            return
        self._asked = request if isinstance(request, Labelled) else Labelled(*request)
        self._began = time.perf_counter()
        self._transport.write(self._asked.data)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < content_length(head) or self._asked is None:
            return
        self._buffer = b""
        self._answered(self._asked, head, body)
        if says_close(head):
            self._asked, self.goes_on = None, True
            self._transport.close()
        else:
            self._send()

    def _answered(self, asked: Labelled, head: bytes, body: bytes) -> None:
        now = time.perf_counter()
        result = self._result
        result.requests += 1
        if result.counts_from <= now <= result.counts_until:
            result.counted += 1
        if self._began >= result.counts_from:
            result.by_kind[asked.kind].append((now - self._began) * 1000)
        right = int(head[9:12]) in (asked.status, asked.or_status)
        if not right or asked.needle not in body:
            question = asked.data.partition(b" HTTP/")[0].decode()
            result.errors.append(f"{question}: {head[:60]!r} {body[:200]!r}")
        elif asked.learn is not None:
            asked.learn(body)

    def abort(self) -> None:
        """Give up: an answer that is still out counts as lost."""
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._asked is not None:
            self.goes_on = self._reopen
            self._result.lost += 1
            question = self._asked.data.partition(b" HTTP/")[0].decode()
            self._result.errors.append(f"{question}: connection lost, {exc!r}")
        self.closed.set_result(None)


def content_length(head: bytes) -> int:
    """Return how many bytes follow the head of an answer; 0 where it does not say."""
    start = head.lower().find(b"content-length:")
    return int(head[start + 15 :].partition(b"\r")[0]) if start >= 0 else 0


def says_close(head: bytes) -> bool:
    """Tell whether an answer is the last one of its connection."""
    return b"\r\nconnection: close" in head.lower()


def http_request(method: str, path: str, body: object = None, **headers: str) -> bytes:
    """Return the bytes of a request; `headers` use underscores for hyphens."""
    payload = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(payload)}"]
    if body is not None:
        lines.append("Content-Type: application/json")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + payload


async def run(
    port: int,
    requests: Iterator[Request],
    connections: int,
    seconds: float,
    *,
    lead: float = LEAD_S,
    grace: float = GRACE_S,
    reopen: bool = False,
    token: str | None = None,
) -> Result:
    """Send requests over `connections` connections for `lead` + `seconds`; the latter count.

    Ends early when there are no more requests. What is not answered `grace` seconds after the end
    is an error. Requests show `token`. A connection that the server ends with an answer, as HAProxy
    does where another one takes over, is opened again; one that is lost where `reopen` says so.
    """
    if token is not None:
        requests = signed(requests, token)
    began = time.perf_counter()
    result = Result(counts_from=began + lead, counts_until=began + lead + seconds)
    cpu = time.process_time()

    def next_request() -> Request | None:
        return next(requests, None) if time.perf_counter() < result.counts_until else None

    def connection() -> _Connection:
        return _Connection(next_request, result, reopen=reopen)

    opened = [await _open(port, connection) for _ in range(connections)]
    await asyncio.gather(*(_kept_open(each, port, connection, result, grace) for each in opened))
    ended = time.perf_counter()
    result.seconds = min(ended, result.counts_until) - result.counts_from
    result.cores = (time.process_time() - cpu) / (ended - began)
    return result


async def _open(port: int, new: Callable[[], _Connection]) -> _Connection:
    return (await asyncio.get_running_loop().create_connection(new, "127.0.0.1", port))[1]


async def _kept_open(
    connection: _Connection, port: int, new: Callable[[], _Connection], result: Result, grace: float
) -> None:
    """Open a connection again and again as `run` says; a refused one is an error, too."""
    await _closed(connection, result.counts_until + grace)
    while connection.goes_on and time.perf_counter() < result.counts_until:
        try:
            connection = await _open(port, new)
        except OSError as error:
            result.errors.append(f"connection refused, {error!r}")
            await asyncio.sleep(REFUSED_S)
        else:
            await _closed(connection, result.counts_until + grace)


async def _closed(connection: _Connection, until: float) -> None:
    """Wait until a connection is closed, and close it where that takes too long."""
    await asyncio.wait((connection.closed,), timeout=until - time.perf_counter())
    if not connection.closed.done():
        connection.abort()
    await connection.closed


async def load_in_own_process(
    port: int,
    workload: Workload,
    connections: int,
    seconds: float,
    *,
    token: str | None = None,
    reopen: bool = False,
) -> Result:
    """Like `run`, in a new process, so that the generator shares nothing with who measures.

    The process ends with this call, however that ends. Raises `EOFError` where it died.
    """
    run = partial(_run, port, workload, connections, seconds, token, reopen)
    seen: Result = await in_own_process(run)
    return seen


def run_in_own_process(port: int, workload: Workload, connections: int, seconds: float) -> Result:
    """Like `load_in_own_process`, without a loop."""
    return asyncio.run(load_in_own_process(port, workload, connections, seconds))


def _run(
    port: int,
    workload: Workload,
    connections: int,
    seconds: float,
    token: str | None,
    reopen: bool,  # noqa: FBT001 - of a process's arguments
) -> Result:
    return asyncio.run(run(port, workload(), connections, seconds, reopen=reopen, token=token))


def signed(requests: Iterator[Request], token: str) -> Iterator[Request]:
    """Return requests that show a token."""
    field = f"\r\nAuthorization: Bearer {token}\r\n".encode()
    for request in requests:
        asked = request if isinstance(request, Labelled) else Labelled(*request)
        yield asked._replace(data=asked.data.replace(b"\r\n", field, 1))


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile of some values; NaN where there are fewer than two."""
    if len(values) < 2:  # noqa: PLR2004 - as `statistics` needs
        return math.nan
    return statistics.quantiles(values, n=100)[percent - 1]
