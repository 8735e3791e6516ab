"""A line for each request, without anything that tells who it was about."""

import logging

from starlette.types import Scope

from actors.runtime.logs import FIELDS
from serve_app.middleware.observation import METHODS, route_of

logger = logging.getLogger("siren.access")
logger.setLevel(logging.INFO)


def log_request(scope: Scope, status: int, seconds: float) -> None:
    """Log method, route, status, milliseconds and role of a request that is over.

    The route, not the address: names and filters stay out, and so does a method that somebody made
    up. A stream's time is how long it was open.
    """
    identity = scope.get("identity")
    role = "-" if identity is None else identity.role
    method = scope["method"] if scope["method"] in METHODS else "-"
    route, took = route_of(scope), round(seconds * 1000, 1)
    told = {"method": method, "route": route, "status": status, "ms": took, "role": role}
    logger.info("%s %s %d %.1f ms %s", method, route, status, took, role, extra={FIELDS: told})
