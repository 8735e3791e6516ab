"""A commit's context and its fold come together, whichever is first, and nothing waits for ever."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from actors.runtime import tracing
from readmodel import fold_traces
from readmodel.fold_traces import FoldTraces
from readmodel.folding import Folded
from tests.support.otlp_collector import Collector, collecting

CARRIER = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        tracing.begin_tracing(collector.endpoint, "projection")
        yield collector
        tracing.end_tracing()


def folded(version: int) -> dict[str, Folded]:
    order: Any = SimpleNamespace(order=SimpleNamespace(version=version))
    return {"order-1": cast(Folded, order)}


def told(collector: Collector) -> list[str]:
    tracing.flush()
    return [span.parent for span in collector.spans]


@pytest.mark.parametrize("nudge_is_first", [True, False])
def test_a_fold_is_told_once_whichever_comes_first(
    collector: Collector, *, nudge_is_first: bool
) -> None:
    traces = FoldTraces()
    if nudge_is_first:
        traces.expect([("order-1", 2, CARRIER)])
    traces.folded(folded(2), 1)
    if not nudge_is_first:
        traces.expect([("order-1", 2, CARRIER)])
    traces.folded(folded(3), 1)
    assert told(collector) == ["00f067aa0ba902b7"]


def test_a_commit_is_not_told_before_the_view_has_it(collector: Collector) -> None:
    traces = FoldTraces()
    traces.folded(folded(1), 1)
    traces.expect([("order-1", 2, CARRIER)])
    assert told(collector) == []
    traces.folded(folded(2), 1)
    assert len(told(collector)) == 1


def test_what_never_comes_is_forgotten(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fold_traces, "REMEMBERED", 2)
    traces = FoldTraces()
    traces.expect([(f"order-{number}", 1, CARRIER) for number in (1, 2, 3)])
    traces.folded(folded(1), 1)
    assert told(collector) == []
