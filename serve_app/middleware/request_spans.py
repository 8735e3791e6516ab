"""The span of an HTTP request: where a trace begins, or goes on from whoever asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.types import Scope

from actors.runtime import tracing
from actors.runtime.logs import ORDER_ID

TRACE_HEADERS = ("traceparent", "tracestate")
SERVER_ERROR = 500


@contextmanager
def request_span(scope: Scope) -> Iterator[Any]:
    """Trace the block as the request of a scope; `end_span` completes what is told of it."""
    with tracing.span("HTTP", carrier=_carrier(scope)) as span:
        yield span


def end_span(span: Any, method: str, route: str, status: int) -> None:
    """Tell what became of a request, by the names of OpenTelemetry's conventions."""
    span.update_name(f"{method} {route}")
    span.set_attributes(
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
        }
    )
    order_id = tracing.id_only(ORDER_ID.get())
    if order_id is not None:
        span.set_attribute(tracing.ORDER, order_id)
    if status >= SERVER_ERROR:
        tracing.mark_failed(span)


def _carrier(scope: Scope) -> tracing.Carrier:
    """Return the trace context that a request brings.

    One that has two `traceparent` is not believed, and a `tracestate` alone says nothing (W3C Trace
    Context, 3.2 and 3.3). What is malformed, the propagator passes over.
    """
    found: dict[str, list[str]] = {name: [] for name in TRACE_HEADERS}
    for name, value in scope["headers"]:
        known = found.get(name.decode("latin-1"))
        if known is not None:
            known.append(value.decode("latin-1"))
    parents, states = found.values()
    if len(parents) != 1:
        return {}
    return {"traceparent": parents[0]} | ({"tracestate": ",".join(states)} if states else {})
