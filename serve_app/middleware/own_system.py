"""Refuses what did not come through this system's own HAProxy.

A replica listens on a port of this machine. Another system's HAProxy, or one that a crash left
behind, may send orders there; and whoever comes past HAProxy comes past its limits.
"""

from hmac import compare_digest

from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.contract.problem_types import MISDIRECTED
from serve_app.contract.problems import problem

HEADER = b"x-siren-system"


class OwnSystem:
    """ASGI middleware. Lets in what carries the system's `secret`, which HAProxy puts last."""

    def __init__(self, app: ASGIApp, secret: str) -> None:
        self._app = app
        self._secret = secret.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "lifespan" and not self._is_ours(scope):
            await problem(MISDIRECTED)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        for name, value in reversed(scope["headers"]):
            if name == HEADER:
                return compare_digest(value, self._secret)
        return False
