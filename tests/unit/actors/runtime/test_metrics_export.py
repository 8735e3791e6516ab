"""What a process counts is handed to Ray as gauges, one for each number."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from actors.runtime import metrics, metrics_export
from actors.runtime.counting import Count, Spread
from actors.runtime.metrics_export import MetricsExport

Numbers = dict[tuple[str, str], float]


class Gauge:
    """Stands in for Ray's: takes what Ray's would take."""

    set_to: Numbers

    def __init__(self, name: str, documentation: str, tag_keys: tuple[str, ...]) -> None:
        assert documentation
        self._name = name
        self._tag_keys = tag_keys

    def set(self, value: float, tags: dict[str, str]) -> None:
        assert tags.keys() == set(self._tag_keys)
        assert all(isinstance(tag, str) for tag in tags.values())
        assert tags.pop("process") == "payment"
        self.set_to[self._name, ",".join(tags.values())] = value


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> Numbers:
    Gauge.set_to = {}
    monkeypatch.setattr(metrics_export, "Gauge", Gauge)
    return Gauge.set_to


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> CollectorRegistry:
    registry = CollectorRegistry()
    monkeypatch.setattr(metrics_export, "REGISTRY", registry)
    return registry


def test_a_counter_goes_by_the_name_that_prometheus_gives_it(
    registry: CollectorRegistry, numbers: Numbers
) -> None:
    counted = Counter("siren_things", "Things.", ["kind"], registry=registry)
    counted.labels("good").inc(3)
    assert MetricsExport("payment").hand_over() == 1
    assert numbers == {("siren_things_total", "good"): 3}


def test_a_histogram_keeps_its_buckets_sum_and_count(
    registry: CollectorRegistry, numbers: Numbers
) -> None:
    took = Histogram("took_seconds", "Time.", registry=registry, buckets=(0.1, 1.0))
    for seconds in (0.05, 0.5, 5.0):
        took.observe(seconds)
    MetricsExport("payment").hand_over()
    assert numbers == {
        ("took_seconds_bucket", "0.1"): 1,
        ("took_seconds_bucket", "1.0"): 2,
        ("took_seconds_bucket", "+Inf"): 3,
        ("took_seconds_count", ""): 3,
        ("took_seconds_sum", ""): 5.55,
    }


def test_what_does_not_move_is_handed_over_again(
    registry: CollectorRegistry, numbers: Numbers
) -> None:
    Counter("siren_things", "Things.", registry=registry).inc()
    export = MetricsExport("payment")
    export.hand_over()
    numbers.clear()  # Ray forgets what is not set again
    export.hand_over()
    assert numbers == {("siren_things_total", ""): 1}


def test_outside_ray_nothing_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_args: Any, **_named: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("threading.Thread", never)
    metrics_export.export_metrics("payment")


def test_where_metrics_are_off_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, method in metrics.COUNTING:
        monkeypatch.setattr(kind, method, getattr(kind, method))  # to be given back
    counted, took = Count(), Spread((1.0,))
    metrics.count_nothing()
    counted.inc()
    took.observe(0.5)
    assert counted.value == 0
    assert took.counts == [0, 0]


def test_what_fails_to_be_handed_over_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Enough(BaseException):
        """Ends what goes on for ever."""

    tries = iter([ValueError("Ray is away"), Enough()])

    def hand_over(_self: MetricsExport) -> int:
        raise next(tries)

    monkeypatch.setattr(metrics_export, "PERIOD_S", 0)
    monkeypatch.setattr(MetricsExport, "hand_over", hand_over)
    with pytest.raises(Enough):
        MetricsExport("payment").for_ever()
    assert "cannot be handed over" in caplog.text
