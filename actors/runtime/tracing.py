"""OpenTelemetry's traces, where a collector is named; where none is, nothing of it is imported.

A span tells what was done, when and for which order: no name, no address, no text of an error. What
asks another process sends the context along (W3C's trace context), and that one goes on with it.
"""

import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Self

from actors.contracts.errors import SirenError, Unavailable

SCOPE = "siren-order"
PATH = "/v1/traces"
"""Where a collector takes traces by HTTP, behind its address."""
ORDER = "siren.order_id"
MOST_HANDED_ON = 10_000
"""Contexts that wait to be taken on; further ones are lost."""

Carrier = dict[str, str]
"""The context of a trace as it travels: `traceparent`, and `tracestate` where there is one."""
HandedOn = tuple[str, int, Carrier]
"""An order, the version that a commit brought it to, and the commit's context."""


class _Nothing:
    """The span of a process that traces nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def add_event(self, _name: str) -> None:
        pass


_ID = re.compile(r"[0-9a-f]{24,64}")
_NOTHING = _Nothing()
_handed_on: list[HandedOn] = []
_tracer: Any = None
_provider: Any = None


def begin_tracing(endpoint: str | None, process: str) -> None:
    """Trace what this process does from now on, for the collector at `endpoint`; None: nothing.

    `process` becomes the service's name. OpenTelemetry's own variables hold: OTEL_TRACES_SAMPLER
    thins out, OTEL_EXPORTER_OTLP_HEADERS authenticates.
    """
    global _tracer, _provider  # noqa: PLW0603 - one a process
    if endpoint is None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - see above
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    attributes = {
        "service.namespace": SCOPE,
        "service.name": process,
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
    }
    _provider = TracerProvider(resource=Resource.create(attributes))
    exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + PATH)
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer(SCOPE)


def end_tracing() -> None:
    """Send what is left, and trace nothing more."""
    global _tracer, _provider  # noqa: PLW0603
    if _provider is not None:
        _provider.shutdown()
    _tracer = _provider = None


def id_only(text: str | None) -> str | None:
    """Return an order's id; None for what only stands in the place of one, and may be anything."""
    return text if text is not None and _ID.fullmatch(text) else None


def flush() -> None:
    """Send what was traced so far."""
    if _provider is not None:
        _provider.force_flush()


def is_on() -> bool:
    """Whether this process traces."""
    return _tracer is not None


def span(
    name: str, order_id: str | None = None, carrier: Carrier | None = None
) -> AbstractContextManager[Any]:
    """Trace the block as a part of what goes on, or of what `carrier` brought from elsewhere."""
    if _tracer is None:
        return _NOTHING
    known = id_only(order_id)
    return _span(name, {} if known is None else {ORDER: known}, carrier)


@contextmanager
def _span(name: str, attributes: Mapping[str, Any], carrier: Carrier | None) -> Iterator[Any]:
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - as above

    kind = SpanKind.INTERNAL if carrier is None else SpanKind.SERVER
    with _tracer.start_as_current_span(
        name,
        context=None if carrier is None else context_of(carrier),
        kind=kind,
        attributes=attributes,
        record_exception=False,  # its text may be about somebody
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except Exception as error:
            note_error(current, error)
            raise


def note_error(current: Any, error: Exception) -> None:
    """Note what kind of error ended a span; a refusal is an answer, and no fault."""
    code = error.code if isinstance(error, SirenError) else type(error).__name__
    current.set_attribute("error.type", code)
    if isinstance(error, Unavailable) or not isinstance(error, SirenError):
        mark_failed(current)


def mark_failed(current: Any) -> None:
    """Mark a span as one that shows a fault."""
    from opentelemetry.trace import StatusCode  # noqa: PLC0415

    current.set_status(StatusCode.ERROR)


def emit(name: str, order_id: str, carrier: Carrier, began_ns: int, ended_ns: int) -> None:
    """Trace what is over already, between two times in nanoseconds since 1970."""
    if _tracer is not None:
        told = {ORDER: order_id}
        begun = _tracer.start_span(
            name, context=context_of(carrier), attributes=told, start_time=began_ns
        )
        begun.end(end_time=ended_ns)


def carrier() -> Carrier | None:
    """Return the context of what goes on, to be sent along; None where there is none."""
    if _tracer is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
        TraceContextTextMapPropagator,
    )

    found: Carrier = {}
    TraceContextTextMapPropagator().inject(found)
    return found or None


def context_of(carrier: Carrier) -> Any:
    """Return what OpenTelemetry calls a context; what is no trace context counts as none."""
    from opentelemetry.context import Context  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
        TraceContextTextMapPropagator,
    )

    return TraceContextTextMapPropagator().extract(carrier, Context())


def trace_id() -> str | None:
    """Return the id of the trace that goes on, 32 hexadecimal digits; None where there is none."""
    if _tracer is None:
        return None
    from opentelemetry.trace import get_current_span  # noqa: PLC0415

    context = get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


def hand_on(order_id: str, version: int) -> None:
    """Keep the context of what goes on, a commit, for whoever goes on with it later."""
    if _tracer is not None and len(_handed_on) < MOST_HANDED_ON:
        found = carrier()
        if found is not None:
            _handed_on.append((order_id, version, found))


def taken_on() -> list[HandedOn]:
    """Return what was handed on since the last call."""
    global _handed_on
    taken, _handed_on = _handed_on, []
    return taken
