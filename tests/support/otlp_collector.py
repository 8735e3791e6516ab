"""A collector of OpenTelemetry, on loopback: keeps the spans that it gets."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from actors.runtime.tracing import ORDER


@dataclass(frozen=True)
class Span:
    """What is told of one span; `parent` is "" where it is the first of its trace."""

    name: str
    service: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, str]
    failed: bool

    @property
    def order_id(self) -> str | None:
        return self.attributes.get(ORDER)


class Collector(ThreadingHTTPServer):
    """Takes traces by HTTP at `endpoint`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Span] = []
        self.raw = b""
        self.endpoint = f"http://127.0.0.1:{self.server_port}"

    def of_trace(self, trace: str) -> list[Span]:
        return [span for span in self.spans if span.trace == trace]

    def of_order(self, order_id: str) -> list[Span]:
        """Return all spans of the traces in which an order comes up."""
        traces = {span.trace for span in self.spans if span.order_id == order_id}
        return [span for span in self.spans if span.trace in traces]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        assert self.path == "/v1/traces"
        self.server.raw += body
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            service = _texts(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.server.spans += [_span(service, span) for span in scope.spans]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _span(service: str, span: Any) -> Span:
    failed = span.status.code == 2
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    return Span(span.name, service, *ids, _texts(span.attributes), failed)


def _texts(attributes: Any) -> dict[str, str]:
    return {each.key: each.value.string_value or str(each.value.int_value) for each in attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """Have a collector while the block lasts."""
    with Collector() as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        yield collector
        collector.shutdown()


def roots(spans: list[Span]) -> list[Span]:
    """Return the spans whose parent is not among them: one, where they are a tree."""
    known = {span.id for span in spans}
    return [span for span in spans if span.parent not in known]
