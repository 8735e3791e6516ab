"""Customers who come at a rate, however many are being served: overload, as it is outside.

`load` sends the next request when the last one is answered, and so slows down with the system. This
does not. Some customers wait for their answer; others give up, and close their connection.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import uvloop

from cluster.headings.load import (
    Labelled,
    Request,
    content_length,
    says_close,
    signed,
)
from cluster.headings.own_process import in_own_process

TICK_S = 0.005
MOST_CONNECTIONS = 6_000
"""Whoever comes while so many are served stays outside, and is counted as `outside`."""
GRACE_S = 35.0
REFUSED = 503


@dataclass
class Flood:
    """What the customers saw. `took`: milliseconds until each right answer, of those that counted.

    `good` of `seconds` are the right answers of the time that counted: all but the first `lead`.
    """

    seconds: float
    sent: int = 0
    good: int = 0
    refused: int = 0
    left: int = 0
    outside: int = 0
    took: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    impolite: int = 0
    """Refusals that do not say when to come again."""

    @property
    def goodput(self) -> float:
        """Return the right answers a second."""
        return self.good / self.seconds

    @property
    def offered(self) -> float:
        """Return the requests a second, those of customers outside included."""
        return (self.sent + self.outside) / self.seconds


class _Customer(asyncio.Protocol):
    """One connection; `number` counts its requests."""

    def __init__(self, crowd: "_Crowd") -> None:
        self._crowd = crowd
        self._buffer = b""
        self._asked: Labelled | None = None
        self._began = 0.0
        self.number = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        if self._asked is not None:
            self._transport.write(self._asked.data)

    def ask(self, request: Request, now: float) -> None:
        """Send a request, now or as soon as the connection stands."""
        self._asked = request if isinstance(request, Labelled) else Labelled(*request)
        self._began = now
        self.number += 1
        if self._transport is not None:
            self._transport.write(self._asked.data)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < content_length(head) or self._asked is None:
            return
        asked, self._asked, self._buffer = self._asked, None, b""
        self._crowd.answered(asked, head, body, self._began)
        if says_close(head):
            self.leave()
        else:
            self._crowd.free.append(self)

    def is_waiting(self, number: int) -> bool:
        """Whether this very request still has no answer."""
        return self.number == number and self._asked is not None

    def leave(self) -> None:
        """Close the connection, whatever is still to come."""
        self._asked = None
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._crowd.gone(self, self._asked, exc)
        self._asked = None


class _Crowd:
    def __init__(self, port: int, seen: Flood, counts_from: float, patience: float | None) -> None:
        self._port = port
        self._seen = seen
        self._counts_from = counts_from
        self._patience = patience
        self.free: list[_Customer] = []
        self.here: set[_Customer] = set()
        self._impatient: deque[tuple[float, _Customer, int]] = deque()
        self._coming: set[asyncio.Task[None]] = set()

    def come(self, request: Request, now: float) -> None:
        """Let one more customer ask."""
        if now >= self._counts_from:
            if not self.free and len(self.here) >= MOST_CONNECTIONS:
                self._seen.outside += 1
                return
            self._seen.sent += 1
        customer = self.free.pop() if self.free else self._another()
        customer.ask(request, now)
        if self._patience is not None:
            self._impatient.append((now + self._patience, customer, customer.number))

    def _another(self) -> _Customer:
        customer = _Customer(self)
        self.here.add(customer)
        task = asyncio.create_task(self._connect(customer))
        self._coming.add(task)
        task.add_done_callback(self._coming.discard)
        return customer

    async def _connect(self, customer: _Customer) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: customer, "127.0.0.1", self._port)
        except OSError as error:
            self.here.discard(customer)
            self._seen.wrong.append(f"no connection, {error!r}")

    def lose_patience(self, now: float) -> None:
        """Let those leave who have waited for too long."""
        while self._impatient and self._impatient[0][0] <= now:
            _, customer, number = self._impatient.popleft()
            if customer.is_waiting(number):
                self._seen.left += 1
                customer.leave()

    def answered(self, asked: Labelled, head: bytes, body: bytes, began: float) -> None:
        """Take note of an answer."""
        now = time.perf_counter()
        status, seen = int(head[9:12]), self._seen
        if status == REFUSED:
            seen.refused += 1
            seen.impolite += b"\r\nretry-after: " not in head.lower()
        elif status != asked.status or asked.needle not in body:
            seen.wrong.append(f"{head[:60]!r} {body[:200]!r}")
        elif began >= self._counts_from:
            seen.took.append((now - began) * 1000)
            seen.good += now <= self._counts_from + seen.seconds

    def gone(self, customer: _Customer, asked: Labelled | None, error: Exception | None) -> None:
        """Take note that a connection has ended."""
        self.here.discard(customer)
        if customer in self.free:
            self.free.remove(customer)
        if asked is not None:
            self._seen.wrong.append(f"connection lost, {error!r}")

    @property
    def is_served(self) -> bool:
        """Whether nobody waits any more."""
        return len(self.free) == len(self.here)

    def go(self) -> None:
        """Send everybody home."""
        for customer in list(self.here):
            customer.leave()


async def flood(
    port: int,
    requests: Iterator[Request],
    rate: float,
    seconds: float,
    *,
    patience: float | None = None,
    lead: float = 2.0,
) -> Flood:
    """Send `rate` requests a second for `lead` + `seconds`, of which the latter count.

    Who has no answer after `patience` seconds leaves; without that, everybody waits for as long as
    an answer may take.
    """
    began = time.perf_counter()
    seen = Flood(seconds)
    crowd = _Crowd(port, seen, began + lead, patience)
    came = 0
    while (now := time.perf_counter()) < began + lead + seconds:
        for _ in range(int((now - began) * rate) - came):
            crowd.come(next(requests), now)
            came += 1
        crowd.lose_patience(now)
        await asyncio.sleep(TICK_S)
    until = time.perf_counter() + GRACE_S
    while not crowd.is_served and (now := time.perf_counter()) < until:
        crowd.lose_patience(now)
        await asyncio.sleep(TICK_S)
    crowd.go()
    return seen


async def flood_in_own_process(
    port: int,
    workload: Callable[[], Iterator[Request]],
    rate: float,
    seconds: float,
    *,
    patience: float | None = None,
    token: str | None = None,
) -> Flood:
    """Like `flood`, in a new process, which ends with this call."""
    seen: Flood = await in_own_process(
        partial(_flood, port, workload, rate, seconds, patience, token)
    )
    return seen


def _flood(
    port: int,
    workload: Callable[[], Iterator[Request]],
    rate: float,
    seconds: float,
    patience: float | None,
    token: str | None,
) -> Flood:
    requests = workload() if token is None else signed(workload(), token)
    return uvloop.run(flood(port, requests, rate, seconds, patience=patience))
