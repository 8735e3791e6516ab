"""How clients ask while things break: again and again with the same key, until there is an answer.

What they had to wait for is counted, by what was asked.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import Any, NamedTuple

from cluster.chaos.history import Answered
from cluster.headings.load import http_request
from cluster.headings.one_request import ask

PATIENCE_S = 5.0
"""A try is given up after this."""
RETRY_S = 0.5
"""Until the next one."""
SERVER_ERROR = 500
AGAIN = (408, 429)
"""Beside all of `SERVER_ERROR` and above: nothing was said about the order."""


class Node(NamedTuple):
    """Where the gateway answers."""

    host: str
    port: int


@dataclass
class Waits:
    """How long requests of one sort took; `after`: what had broken when the first try was over."""

    answered: int = 0
    repeated: int = 0
    repeated_more: int = 0
    longest_s: float = 0.0
    longest_tries: int = 0
    longest_after: str = ""
    waiting: dict[int, float] = field(default_factory=dict)
    """When those that are still out were asked first."""

    def add(self, seconds: float, tries: int, after: str) -> None:
        """Count an answer that took so long and so many tries."""
        self.answered += 1
        self.repeated += tries > 1
        self.repeated_more += tries > 2  # noqa: PLR2004 - one retry
        if seconds > self.longest_s:
            self.longest_s, self.longest_tries, self.longest_after = seconds, tries, after

    def oldest_s(self) -> float:
        """Return for how long the oldest one that is out has been waiting."""
        return time.monotonic() - min(self.waiting.values()) if self.waiting else 0.0


class Clients:
    """Asks a system's nodes, one after the other where one does not answer.

    `last_fault` says what broke last. A system that wants a token is shown `token`.
    """

    def __init__(
        self, nodes: Sequence[Node], token: str | None, last_fault: Callable[[], str]
    ) -> None:
        self._nodes = cycle(nodes)
        self._node = next(self._nodes)
        self._fields = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._last_fault = last_fault
        self._numbers = count()
        self.waits: defaultdict[str, Waits] = defaultdict(Waits)

    async def ask(
        self, sort: str, method: str, path: str, body: object = None, **fields: str
    ) -> Answered:
        """Ask until the application answers; `sort` is what it is counted as."""
        request = http_request(method, path, body, Connection="close", **self._fields, **fields)
        waits = self.waits[sort]
        begin, fault = time.monotonic(), ""
        with self._waiting(waits, begin):
            for tries in count(1):
                answer = await self._try(request)
                fault = fault or self._last_fault()
                if answer is not None:
                    end = time.monotonic()
                    waits.add(end - begin, tries, fault)
                    return Answered(begin, end, *answer, tries)
                self._node = next(self._nodes)
                await asyncio.sleep(RETRY_S)
        raise AssertionError("unreachable")

    async def _try(self, request: bytes) -> tuple[int, Any] | None:
        node = self._node
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await ask(node.host, node.port, request)
        except (OSError, ValueError, TimeoutError):
            return None
        retried = answer.status >= SERVER_ERROR or answer.status in AGAIN
        return None if retried else tuple(answer)

    @contextmanager
    def _waiting(self, waits: Waits, begin: float) -> Iterator[None]:
        number = next(self._numbers)
        waits.waiting[number] = begin
        try:
            yield
        finally:
            del waits.waiting[number]
