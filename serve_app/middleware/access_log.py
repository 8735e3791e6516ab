"""A line for each request, without anything that tells who it was about."""

import asyncio
import logging
import sys
from datetime import UTC, datetime

from starlette.types import Scope

from actors.runtime.logs import json_line
from serve_app.middleware.observation import METHODS, route_of

NAME = "siren.access"
PROCESS = "gateway"
PAUSE_S = 0.1
"""Lines of JSON are written together, after this long at the latest. One by one, and through
`logging`, each took an order 30 µs; so it takes 5."""

logger = logging.getLogger(NAME)
logger.setLevel(logging.INFO)


def log_request(scope: Scope, status: int, seconds: float) -> None:
    """Log method, route, status, milliseconds and role of a request that is over.

    The route, not the address: names and filters stay out, and so does a method that somebody made
    up. A stream's time is how long it was open.
    """
    logger.info("%s %s %d %.1f ms %s", *_told(scope, status, seconds))


class JsonRequestLog:
    """Logs the same as JSON. What a process had not written when it was killed is lost."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def __call__(self, scope: Scope, status: int, seconds: float) -> None:
        """Log a request that is over, soon."""
        if not self._lines:
            asyncio.get_running_loop().call_later(PAUSE_S, self.write)
        method, route, status, took, role = _told(scope, status, seconds)
        told = {"method": method, "route": route, "status": status, "ms": took, "role": role}
        said = f"{method} {route} {status}"
        self._lines.append(json_line(datetime.now(UTC), "INFO", NAME, PROCESS, said, told))

    def write(self) -> None:
        """Write what has gathered."""
        lines, self._lines = self._lines, []
        stream = sys.__stderr__
        if stream is not None and lines:
            stream.write(b"\n".join([*lines, b""]).decode())
            stream.flush()


def _told(scope: Scope, status: int, seconds: float) -> tuple[str, str, int, float, str]:
    identity = scope.get("identity")
    role = "-" if identity is None else str(identity.role)
    method = scope["method"] if scope["method"] in METHODS else "-"
    return method, route_of(scope), status, round(seconds * 1000, 1), role
