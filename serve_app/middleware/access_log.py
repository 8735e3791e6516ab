"""A line for each request, without anything that tells who it was about."""

import logging
import sys
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

logger = logging.getLogger("siren.access")


class AccessLog:
    """ASGI middleware. Logs method, route, status, milliseconds and role.

    The route, not the address: ids, names and filters stay out, and so does a method that somebody
    made up. A stream's time is how long it was open.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            method = scope["method"] if scope["method"] in METHODS else "-"
            route = getattr(scope.get("route"), "path_format", "-")
            identity = scope.get("identity")
            role = "-" if identity is None else identity.role
            took = (time.perf_counter() - began) * 1000
            logger.info("%s %s %d %.1f ms %s", method, route, status, took, role)


def write_log() -> None:
    """Let the lines, and whatever else this process has to tell, out by its standard error.

    Past `sys.stderr`: Ray Serve replaces it by a logger of its own, which drops them all.
    """
    handler = logging.StreamHandler(sys.__stderr__)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.getLogger("siren").addHandler(handler)
    logger.setLevel(logging.INFO)
