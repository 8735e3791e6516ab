"""As JSON, a line of the log is an object with the ids of what was worked on."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from actors.runtime import tracing
from actors.runtime.logs import FIELDS, ORDER_ID, JsonFormatter, write_logs
from tests.support.otlp_collector import collecting

ORDER = "1a219a71e142873da29a197dbeee09e7b35"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    ours = logging.getLogger("siren")
    before = (ours.handlers, ours.propagate, ours.level)
    stream = io.StringIO()
    monkeypatch.setattr("sys.__stderr__", stream)
    yield stream
    ours.handlers, ours.propagate, ours.level = before


def line(written: io.StringIO) -> dict[str, Any]:
    (text,) = written.getvalue().splitlines()
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_line_is_an_object_that_says_when_where_and_what(written: io.StringIO) -> None:
    write_logs("json", "payment")
    logging.getLogger("siren.access").warning("it's %s", "slow", extra={FIELDS: {"status": 503}})
    told = line(written)
    assert datetime.fromisoformat(told.pop("time")).tzinfo is not None
    assert told.pop("pid") > 0
    assert told == {
        "level": "WARNING",
        "logger": "siren.access",
        "process": "payment",
        "message": "it's slow",
        "status": 503,
    }


def test_an_error_with_its_lines_is_one_line(written: io.StringIO) -> None:
    write_logs("json", "payment")
    try:
        int("nothing")
    except ValueError:
        logging.getLogger("siren").exception("failed")
    told = line(written)["exception"]
    assert told.startswith("Traceback")
    assert "ValueError" in told.splitlines()[-1]


@pytest.mark.parametrize(
    ("worked_on", "told"), [(ORDER, ORDER), ("010-1234-5678", None), ("nara", None), (None, None)]
)
def test_the_order_is_named_and_nothing_that_only_stands_in_its_place(
    written: io.StringIO, worked_on: str | None, told: str | None
) -> None:
    write_logs("json", "order-host:0")
    token = ORDER_ID.set(worked_on)
    logging.getLogger("siren").warning("slow")
    ORDER_ID.reset(token)
    assert line(written).get("order_id") == told


def test_the_trace_is_named_where_there_is_one(written: io.StringIO) -> None:
    write_logs("json", "order-host:0")
    with collecting() as collector:
        tracing.begin_tracing(collector.endpoint, "test")
        try:
            with tracing.span("something"):
                trace = tracing.trace_id()
                logging.getLogger("siren").warning("slow")
        finally:
            tracing.end_tracing()
    assert line(written)["trace_id"] == trace


def test_as_text_it_is_a_line_for_people(written: io.StringIO) -> None:
    write_logs("text", "payment")
    logging.getLogger("siren").warning("slow")
    assert written.getvalue().endswith(" WARNING siren slow\n")


def test_begun_twice_it_writes_each_line_once(written: io.StringIO) -> None:
    write_logs("json", "payment")
    write_logs("json", "payment")
    logging.getLogger("siren").warning("slow")
    assert line(written)["message"] == "slow"
    assert isinstance(logging.getLogger("siren").handlers[0].formatter, JsonFormatter)
