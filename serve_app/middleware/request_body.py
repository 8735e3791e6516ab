"""Reading a request's body, whole and in time, before anything is done for the request."""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.contract.problem_types import BODY_TOO_LARGE, BODY_TOO_LATE
from serve_app.contract.problems import Refused, problem

MAX_BODY = 64 * 1024
"""Bytes."""
DEADLINE_S = 10.0
"""For the whole body, however its pieces come: the largest one passes at 6.5 KiB/s (52 kbit/s), an
order of 1 KiB at 100 bytes/s."""
AT_ONCE = 1000
"""Bodies on their way at the same time, 64 MiB at most. One more, and who sends for longest has to
make room: most bodies are there within milliseconds."""


class Bodies:
    """ASGI middleware. Hands a request on once its body is there, as `scope["body"]`.

    Whoever sends a body too slowly, and whoever leaves meanwhile, has taken nobody's place. A
    body of more than 64 KiB is answered 413 without being read to its end, one that has not come
    after 10 seconds 408.
    """

    def __init__(
        self, app: ASGIApp, deadline_s: float = DEADLINE_S, at_once: int = AT_ONCE
    ) -> None:
        self._app = app
        self._deadline_s = deadline_s
        self._at_once = at_once
        # Until when each body may be on its way, in the order in which they began.
        self._coming: dict[_Task, float] = {}
        self._late: set[_Task] = set()
        self._watching = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and _may_have_body(scope):
            try:
                body = await self._read(scope, receive)
            except Refused as refusal:
                await refusal.response(scope, receive, send)
                return
            if body is None:
                return
            scope["body"] = body
        await self._app(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the body, None where the client left; raises `Refused`."""
        if _announces_too_much(scope):
            raise Refused(problem(BODY_TOO_LARGE.filled(most=MAX_BODY)))
        if len(self._coming) >= self._at_once:
            self._give_up(next(iter(self._coming)))
        task = self._await_one()
        try:
            return await _whole(receive)
        except asyncio.CancelledError:
            if task not in self._late or task.uncancel():
                raise
            late = BODY_TOO_LATE.filled(seconds=self._deadline_s)
            raise Refused(problem(late)) from None
        finally:
            self._coming.pop(task, None)
            self._late.discard(task)

    def _await_one(self) -> "_Task":
        # One timer for all of them: one for each body took 6 µs of each order.
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        until = self._coming[task] = loop.time() + self._deadline_s
        if not self._watching:
            self._watching = True
            loop.call_at(until, self._watch)
        return task

    def _watch(self) -> None:
        """Give up what is late, and look again when the next one will be."""
        loop = asyncio.get_running_loop()
        for task, until in list(self._coming.items()):
            if until > loop.time():
                loop.call_at(until, self._watch)
                return
            self._give_up(task)
        self._watching = False

    def _give_up(self, task: "_Task") -> None:
        del self._coming[task]
        self._late.add(task)
        task.cancel()


_Task = asyncio.Task[object]


async def _whole(receive: Receive) -> bytes | None:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        piece: bytes = message.get("body", b"")
        body += piece
        if len(body) > MAX_BODY:
            raise Refused(problem(BODY_TOO_LARGE.filled(most=MAX_BODY)))
        if not message.get("more_body", False):
            return body


def _may_have_body(scope: Scope) -> bool:
    if scope["method"] not in ("GET", "HEAD"):
        return True
    given = dict(scope["headers"])
    return b"content-length" in given or b"transfer-encoding" in given


def _announces_too_much(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"content-length":
            # Compared by its digits first: Python refuses to read very long numbers.
            return value.isdigit() and (len(value) > 9 or int(value) > MAX_BODY)  # noqa: PLR2004
    return False
