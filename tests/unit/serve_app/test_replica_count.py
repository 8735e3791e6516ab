"""How many replicas the gateway has: on a cluster one a node, else as they measure themselves."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from ray.serve.config import AutoscalingPolicy

from actors.runtime import placement
from actors.settings import Settings
from serve_app import replica_count
from serve_app.gateway import autoscaling
from serve_app.replica_count import (
    CPU_SHARE,
    GROW_AFTER_S,
    STALE_S,
    FollowingLoad,
    one_a_node,
    wanted,
)
from serve_app.replica_load import CPU, IN_FLIGHT


def nodes(monkeypatch: pytest.MonkeyPatch, *cpus: float, leaving: tuple[int, ...] = ()) -> None:
    """Let a cluster have nodes that offer so many CPUs; some of them, by their turn, leave."""
    known: list[dict[str, Any]] = [
        {"NodeID": str(turn), "Alive": True, "Resources": {"CPU": cpu} if cpu else {}}
        for turn, cpu in enumerate(cpus)
    ]
    monkeypatch.setattr(placement, "living", lambda: known)
    monkeypatch.setattr(placement, "leaving", lambda: {str(turn) for turn in leaving})


@pytest.mark.parametrize(
    ("cpus", "expected"),
    [((2,), 1), ((2, 2), 2), ((2, 2, 2), 3), ((0, 2), 1), ((0, 2, 2), 2), ((0.5, 2), 2)],
)
def test_each_node_that_offers_cpus_has_a_replica(
    monkeypatch: pytest.MonkeyPatch, cpus: tuple[float, ...], expected: int
) -> None:
    nodes(monkeypatch, *cpus)

    assert one_a_node(None) == (expected, {})
    assert all(cpu >= CPU_SHARE for cpu in cpus if cpu)


def test_a_node_that_leaves_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes(monkeypatch, 2, 2, 2, leaving=(1,))

    assert one_a_node(None) == (2, {})


def test_there_is_one_at_least_and_not_more_than_serve_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes(monkeypatch)
    assert one_a_node(None) == (1, {})
    monkeypatch.setattr(replica_count, "MOST_NODES", 2)
    nodes(monkeypatch, 2, 2, 2)
    assert one_a_node(None) == (2, {})


def test_whoever_moves_actors_is_a_node_with_a_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes(monkeypatch, 0, 2)

    assert placement.workers()[0] == "1"


@pytest.mark.parametrize(
    ("measured", "count", "expected"),
    [
        ([10], 1, 1),  # each has its target: as many as there are
        ([11], 1, 2),
        ([31], 1, 4),
        ([10, 10], 2, 2),
        ([10, 11], 2, 3),
        ([8, 0], 2, 1),  # one alone would have 8 of 10
        ([8, 1], 2, 2),  # one alone would have more than the headroom
        ([0, 0, 0], 3, 1),  # never none
        ([6, 6, 3], 3, 2),
        ([12, 12], 3, 3),  # a third one is on its way
        ([10, 10, 5, 0], 2, 3),  # the old ones of an update are still there
    ],
)
def test_there_are_so_many_that_each_has_its_target(
    measured: list[float], count: int, expected: int
) -> None:
    assert wanted(dict(enumerate(measured)), count, target=10) == expected


@pytest.mark.parametrize(
    ("measured", "count", "expected"),
    [
        ([None, None], 2, None),
        ([], 2, None),
        ([19, None], 2, 2),  # it may be idle: nobody is started for it
        ([21, None], 2, 3),  # too much even where it is idle
        ([0, None], 2, 2),  # it may have its target: nobody is stopped either
        ([0, None, 0], 3, 2),
    ],
)
def test_who_says_nothing_is_idle_before_there_are_more_and_busy_before_there_are_fewer(
    measured: list[float | None], count: int, expected: int | None
) -> None:
    assert wanted(dict(enumerate(measured)), count, target=10) == expected


@dataclass
class Point:
    """What Serve keeps of a measurement."""

    timestamp: float
    value: float


@dataclass
class Scaling:
    """The policy, asked twice a second by a controller that does as it says, within its bounds."""

    shrink_after_s: float = 60
    measure: str = IN_FLIGHT
    most: int = 3
    count: int = 1
    now: float = 1000.0
    points: dict[str, list[Point]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.policy = FollowingLoad(
            measure=self.measure,
            target=10,
            shrink_after_s=self.shrink_after_s,
            clock=lambda: self.now,
        )

    def say(self, *values: float, at: float | None = None) -> None:
        """Let replicas "0", "1" and so on measure something."""
        moment = self.now if at is None else at
        self.points = {str(n): [Point(moment, value)] for n, value in enumerate(values)}

    def ask(self, *, running: int | None = None) -> int:
        running = self.count if running is None else running
        self.running_replicas = [str(n) for n in range(running)]
        self.target_num_replicas = self.count
        self.raw_metrics = {self.measure: self.points, "else": {"0": [Point(self.now, 1e6)]}}
        asked, state = self.policy(self)
        assert state == {}
        self.count = max(1, min(self.most, asked))
        return self.count

    def go_on(self, seconds: float, *values: float, fresh: bool = True) -> list[int]:
        """Let time pass while replicas measure the same, or say nothing new; return the counts."""
        counts = []
        for _ in range(int(seconds * 2)):
            self.now += 0.5
            if fresh:
                self.say(*values)
            counts.append(self.ask())
        return counts


def test_there_are_more_once_more_have_been_wanted_for_a_while() -> None:
    scaling = Scaling()
    assert set(scaling.go_on(GROW_AFTER_S, 30)) == {1}
    assert scaling.go_on(1, 30)[-1] == 3


def test_a_moment_s_load_starts_nobody() -> None:
    scaling = Scaling()
    for _ in range(10):
        assert set(scaling.go_on(GROW_AFTER_S / 2, 30)) == {1}
        assert set(scaling.go_on(1, 5)) == {1}


def test_there_are_fewer_once_no_more_have_been_wanted_for_as_long_as_was_set() -> None:
    scaling = Scaling(shrink_after_s=60, count=3)
    assert set(scaling.go_on(59, 1, 1, 1)) == {3}
    assert scaling.go_on(2, 1, 1, 1)[-1] == 1


def test_what_was_wanted_meanwhile_keeps_as_many() -> None:
    scaling = Scaling(shrink_after_s=60, count=3)
    scaling.go_on(50, 1, 1, 1)
    scaling.go_on(2, 6, 5, 1)  # two would do
    assert scaling.go_on(10, 1, 1, 1)[-1] == 2
    assert scaling.go_on(51, 1, 1, 1)[-1] == 1


def test_load_near_the_target_does_not_make_one_come_and_go() -> None:
    scaling = Scaling(shrink_after_s=5, count=1)
    counts = []
    for _ in range(30):  # 11 in all, on one or on two, and now and then 9
        counts += scaling.go_on(6, *[11 / scaling.count] * scaling.count)
        counts += scaling.go_on(6, *[9 / scaling.count] * scaling.count)
    assert counts[-1] == 2
    assert sum(before != after for before, after in pairwise(counts)) == 1


def test_a_controller_that_has_just_begun_stops_nobody_at_once() -> None:
    scaling = Scaling(shrink_after_s=60, count=3)
    scaling.say(0, 0, 0)
    assert scaling.ask() == 3


def test_nothing_changes_while_nothing_is_measured() -> None:
    scaling = Scaling(count=2, shrink_after_s=5)
    assert set(scaling.go_on(30)) == {2}
    scaling.measure = "unknown"
    assert set(scaling.go_on(30, 99, 99)) == {2}


def test_what_was_measured_long_ago_counts_no_more() -> None:
    """A replica that hangs, or whose clock was set back, goes on to show its last measurement."""
    scaling = Scaling(count=2, shrink_after_s=5)
    scaling.say(99, 99)
    scaling.policy._target = 1000
    scaling.ask()
    assert set(scaling.go_on(STALE_S, fresh=False)) == {1, 2}
    scaling.count = 2
    assert set(scaling.go_on(60, fresh=False)) == {2}


def test_the_replica_that_died_takes_its_measurement_along() -> None:
    scaling = Scaling(count=2, shrink_after_s=60)
    scaling.go_on(70, 9, 9)
    scaling.say(9, 9)
    scaling.count = 2
    assert scaling.ask(running=1) == 2  # what it had comes to the other one, or to its successor
    assert set(scaling.go_on(50, 9)) == {2}


def test_no_delay_depends_on_the_clock_on_the_wall() -> None:
    scaling = Scaling()
    scaling.say(30, at=5e9)
    for _ in range(10):
        scaling.now += 0.5
        scaling.points["0"][0].timestamp -= 3600
        scaling.ask()
    assert scaling.count == 3


@pytest.mark.parametrize(
    ("rule", "measure", "target"), [("requests", IN_FLIGHT, 7), ("cpu", CPU, 35)]
)
def test_the_settings_say_what_the_number_of_replicas_follows(
    rule: Any, measure: str, target: float
) -> None:
    settings = Settings(
        gateway_autoscale=rule,
        gateway_target_requests=7,
        gateway_target_cpu=35,
        gateway_shrink_after_s=90,
        gateway_min_replicas=4,
        gateway_max_replicas=2,
    )

    config = autoscaling(settings)

    assert (config.min_replicas, config.max_replicas) == (4, 4)
    # As the controller makes it, from what it is sent.
    sent = AutoscalingPolicy(**config.policy.model_dump())  # type: ignore[no-untyped-call]
    policy = sent.get_policy()(**sent.policy_kwargs)
    assert (policy._measure, policy._target) == (measure, target)
    assert policy._shrink_after_s == 90
