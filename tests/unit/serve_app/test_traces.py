"""With a collector named, one order is one trace: from its request through all services."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from actors.runtime import tracing
from actors.settings import Settings
from serve_app.backend import Backend
from tests.support.http_contract import ORDER, placed
from tests.support.in_process import client_of, in_process
from tests.support.otlp_collector import Collector, Span, collecting, roots
from tests.support.waiting import until

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
FROM_OUTSIDE = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        tracing.begin_tracing(collector.endpoint, "test")
        yield collector
        tracing.end_tracing()


@pytest.fixture
async def client(collector: Collector, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    assert tracing.is_on(), collector
    async with in_process(Settings(data_dir=tmp_path)) as siren, client_of(siren) as client:
        yield client


async def spans(collector: Collector, order_id: str, last: str = "fold view") -> list[Span]:
    """Return the spans of an order's traces, once the `last` one has come."""

    def found() -> bool:
        tracing.flush()
        return any(span.name == last for span in collector.of_order(order_id))

    await until(found)
    return collector.of_order(order_id)


async def test_an_order_s_spans_form_one_tree_from_its_request_to_the_view(
    client: httpx.AsyncClient, collector: Collector
) -> None:
    order_id = await placed(client)
    found = await spans(collector, order_id)
    assert len({span.trace for span in found}) == 1
    (root,) = roots(found)
    assert (root.name, root.parent) == ("POST /orders", "")
    assert root.attributes["http.response.status_code"] == "201"
    assert {span.name for span in found} >= {
        "OrderRequest",
        "command PlaceOrder",
        "mailbox",
        "step AuthorizePayment",
        "ChargeRequest",
        "TicketRequest",
        "commit journal",
        "commit payments",
        "commit provider",
        "commit stores",
        "fold view",
    }


async def test_each_part_is_told_as_a_part_of_what_caused_it(
    client: httpx.AsyncClient, collector: Collector
) -> None:
    found = await spans(collector, await placed(client))
    by_id = {span.id: span for span in found}
    causes = {(by_id[span.parent].name, span.name) for span in found if span.parent in by_id}
    assert {
        ("POST /orders", "OrderRequest"),
        ("OrderRequest", "command PlaceOrder"),
        ("command PlaceOrder", "commit journal"),
        ("command PlaceOrder", "step AuthorizePayment"),
        ("step AuthorizePayment", "ChargeRequest"),
        ("step AuthorizePayment", "TicketRequest"),
        ("ChargeRequest", "commit payments"),
        ("TicketRequest", "commit stores"),
        ("step AuthorizePayment", "commit journal"),
    } <= causes
    # The view may fold both commits at once, for the sake of the first.
    folded = {cause for cause, name in causes if name == "fold view"}
    assert folded
    assert folded <= {"command PlaceOrder", "step AuthorizePayment"}


async def test_a_trace_that_a_request_brings_goes_on(
    client: httpx.AsyncClient, collector: Collector
) -> None:
    headers = {"traceparent": FROM_OUTSIDE, "tracestate": "vendor=1"}
    answer = await client.post("/orders", json=ORDER, headers=headers)
    found = await spans(collector, answer.json()["order_id"])
    assert {span.trace for span in found} == {TRACE}
    assert [root.parent for root in roots(found)] == [PARENT]


@pytest.mark.parametrize(
    "headers",
    [
        [("traceparent", "nonsense")],
        [("traceparent", f"ff-{TRACE}-{PARENT}-01")],
        [("traceparent", f"00-{TRACE.upper()}-{PARENT}-01")],
        [("traceparent", f"00-{'0' * 32}-{PARENT}-01")],
        [("traceparent", f"{FROM_OUTSIDE}-more")],
        [("traceparent", FROM_OUTSIDE), ("traceparent", FROM_OUTSIDE)],
        [("tracestate", "vendor=1")],
    ],
    ids=["nonsense", "version ff", "capitals", "zeros", "too long", "two of them", "state alone"],
)
async def test_what_is_no_trace_context_begins_a_new_trace(
    client: httpx.AsyncClient, collector: Collector, headers: list[tuple[str, str]]
) -> None:
    answer = await client.post("/orders", json=ORDER, headers=headers)
    assert answer.status_code == 201
    found = await spans(collector, answer.json()["order_id"])
    (root,) = roots(found)
    assert root.parent == ""
    assert root.trace != TRACE


async def test_a_request_that_is_not_to_be_traced_is_not(
    client: httpx.AsyncClient, collector: Collector
) -> None:
    unsampled = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
    answer = await client.post("/orders", json=ORDER, headers=unsampled)
    order_id = await placed(client)
    await spans(collector, order_id)
    assert collector.of_order(answer.json()["order_id"]) == []
    assert collector.of_trace(TRACE) == []


async def test_a_refusal_is_no_fault_and_names_its_code(
    client: httpx.AsyncClient, collector: Collector
) -> None:
    order_id = await placed(client)
    await client.post(f"/pickups/{order_id}/complete")
    found = await spans(collector, order_id, "command CompletePickup")
    (refused,) = (span for span in found if span.name == "command CompletePickup")
    assert refused.attributes["error.type"] == "out_of_turn"
    assert not refused.failed


async def test_nothing_of_a_person_is_traced(
    client: httpx.AsyncClient, collector: Collector
) -> None:
    phone = "01098765432"
    await client.get(f"/orders/{phone}")
    await client.get("/order-details", params={"customer_id": "c-17"})
    await spans(collector, await placed(client))
    for text in ("영욱", "010-1234-5678", "tok_approve", "c-17", phone):
        assert text.encode() not in collector.raw


async def test_without_a_collector_nothing_travels_and_nothing_is_kept(siren: Backend) -> None:
    assert not tracing.is_on()
    with tracing.span("anything"):
        assert tracing.carrier() is None
        tracing.hand_on("order", 1)
    assert tracing.taken_on() == []
    assert siren
