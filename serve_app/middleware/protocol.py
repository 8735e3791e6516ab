"""What HTTP demands whatever the route: a Host, HEAD without a body, no chunks for HTTP/1.0."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.contract.problem_types import HOST_MISSING
from serve_app.contract.problems import problem

NO_BODY = (204, 304)


class _Over(Exception):
    """The client has all that it will get; the route need not go on."""


class Protocol:
    """ASGI middleware.

    HEAD is answered as GET, without the body (RFC 9110, section 9.3.2); a stream ends at once. A
    client of HTTP/1.0 knows no chunks (RFC 9112, section 7.1): of a stream it gets what comes
    first, with its length, and asks again for what follows.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["http_version"] == "1.0" or scope["method"] == "HEAD":
            framed = _without_body(send) if scope["method"] == "HEAD" else _with_length(send)
            try:
                await self._app(scope, receive, framed)
            except* _Over:
                pass
        elif b"host" not in dict(scope["headers"]):
            await problem(HOST_MISSING)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _without_body(send: Send) -> Send:
    async def framed(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b""})
            if not _has_length(message):
                raise _Over

    return framed


def _with_length(send: Send) -> Send:
    start: Message = {}

    async def framed(message: Message) -> None:
        if message["type"] == "http.response.start" and not _has_length(message):
            start.update(message)
        elif not start:
            await send(message)
        elif message["body"] or not message.get("more_body", False):
            length = (b"content-length", str(len(message["body"])).encode())
            await send({**start, "headers": [*start["headers"], length]})
            await send({**message, "more_body": False})
            raise _Over

    return framed


def _has_length(start: Message) -> bool:
    return start["status"] in NO_BODY or any(
        name == b"content-length" for name, _ in start["headers"]
    )
