"""What is told of each request once it is over: to the metrics, and where it is wanted to the log.

The metric is OpenTelemetry's `http.server.request.duration`: names, labels and buckets are those of
its semantic conventions, as Prometheus spells them.
"""

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.runtime import tracing
from actors.runtime.counting import Histogram, Spread
from actors.runtime.metrics import REGISTRY
from serve_app.middleware.request_spans import end_span, request_span

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
OTHER = "_OTHER"
"""For methods that somebody made up."""
NOWHERE = "-"
"""The route of a request that no route is for."""

DURATION = Histogram(
    "http_server_request_duration_seconds",
    "Duration of HTTP requests; a stream's is how long it was open.",
    ["http_request_method", "http_route", "http_response_status_code"],
    (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    REGISTRY,
)

Tell = Callable[[Scope, int, float], None]
"""Gets a request's scope, its status (0 where whoever asked had left before) and its seconds."""


class Observation:
    """ASGI middleware. The route, not the address: ids, names and filters stay out."""

    def __init__(self, app: ASGIApp, log: Tell | None = None) -> None:
        self._app = app
        self._log = log
        self._known: dict[tuple[str, str, int], Spread] = {}

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

        def over() -> None:
            seconds = time.perf_counter() - began
            self._measured(scope, status).observe(seconds)
            if self._log is not None:
                self._log(scope, status, seconds)

        if not tracing.is_on():
            try:
                await self._app(scope, receive, observed)
            finally:
                over()
            return
        with request_span(scope) as span:
            try:
                await self._app(scope, receive, observed)
            finally:
                end_span(span, method_of(scope), route_of(scope), status)
                over()

    def _measured(self, scope: Scope, status: int) -> Spread:
        method, route = method_of(scope), route_of(scope)
        known = self._known.get((method, route, status))
        if known is None:  # `labels` takes longer than all the rest
            known = DURATION.labels(method, route, str(status or ""))
            self._known[method, route, status] = known
        return known


def method_of(scope: Scope) -> str:
    """Return a request's method, one of a few whatever was sent."""
    method: str = scope["method"]
    return method if method in METHODS else OTHER


def route_of(scope: Scope) -> str:
    """Return the route that a request was for, with the names of what is variable in it."""
    return getattr(scope.get("route"), "path_format", NOWHERE)
