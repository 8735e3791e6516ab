"""Security headers on every answer: what a browser may do with it, whatever is in it."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"connect-src 'self'; font-src 'self'; manifest-src 'self'; media-src 'self'; "
    b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]
UNLESS_SET = {
    b"content-security-policy": CONTENT_SECURITY_POLICY,
    b"cache-control": b"no-store",
}
"""A route may say something else: /docs, the stream, static files."""


class SecurityHeaders:
    """ASGI middleware. Adds the headers to whatever is answered, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                present = {name for name, _ in headers}
                missing = [pair for pair in UNLESS_SET.items() if pair[0] not in present]
                message["headers"] = [*headers, *ALWAYS, *missing]
            await send(message)

        await self._app(scope, receive, secured)
