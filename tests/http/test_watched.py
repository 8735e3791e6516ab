"""An order of a real system can be followed through its processes, by its logs and its trace."""

import json
from typing import Any

import httpx
import pytest

from tests.support.otlp_collector import Collector, Span, roots
from tests.support.outside import headers, new_order
from tests.support.system import System, eventually

SERVICES = {"gateway", "order-host:0", "payment", "store", "projection"}


@pytest.fixture(scope="module")
def order_id(public: System) -> str:
    token = public.siren("token", "--role", "owner").stdout.strip()
    shown = headers() | {"Authorization": f"Bearer {token}"}
    answer = public.http.post("/orders", json=new_order(), headers=shown)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return str(answer.json()["order_id"])


@pytest.fixture(scope="module")
def trace(collector: Collector, order_id: str) -> list[Span]:
    def whole() -> list[Span]:
        found = collector.of_order(order_id)
        return found if {span.service for span in found} >= SERVICES else []

    spans: list[Span] = eventually(whole, "each process has told of the order")
    return spans


def lines(system: System) -> list[dict[str, Any]]:
    """Return what the system's processes have logged."""
    texts = [file.read_text() for file in system.ray_logs().glob("worker-*.err")]
    objects = (line for text in texts for line in text.splitlines() if line.startswith("{"))
    return [json.loads(line) for line in objects]


def test_one_order_s_spans_form_one_tree_over_all_processes(trace: list[Span]) -> None:
    assert len({span.trace for span in trace}) == 1
    (root,) = roots(trace)
    assert (root.service, root.name) == ("gateway", "POST /orders")


def test_its_line_in_the_log_has_its_id_and_its_trace(
    public: System, order_id: str, trace: list[Span]
) -> None:
    def logged() -> list[dict[str, Any]]:
        return [line for line in lines(public) if line.get("order_id") == order_id]

    (line, *_) = eventually(logged, "the request was logged")
    assert line["trace_id"] == trace[0].trace
    assert (line["process"], line["route"], line["status"]) == ("gateway", "/orders", 201)


def test_siren_up_tells_its_steps_as_json_too(public: System) -> None:
    told = [json.loads(line) for line in public.log.read_text().splitlines()]
    assert {line["process"] for line in told} == {"siren up"}
    (up,) = (line for line in told if line["message"] == "Siren Order is up")
    assert up["metrics"].endswith("/metrics")
