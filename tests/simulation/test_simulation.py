"""The simulation itself: that it finds what is wrong, repeats it, and says what it takes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from actors.payment import service
from cluster.simulation.plan import plan_of
from cluster.simulation.replay import replay, shrink, told
from cluster.simulation.world import World

pytestmark = pytest.mark.timeout(300)
SCHEDULES = 150


@pytest.fixture
def world() -> Iterator[World]:
    with World().open() as built:
        yield built


def _first_violating(world: World, seeds: range) -> int:
    return next(seed for seed in seeds if world.run(plan_of(seed)).violations)


def _charge_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = count()
    monkeypatch.setattr(
        service, "payment_key", lambda order_id, _attempt: f"{order_id}:{next(numbers)}"
    )


def test_whatever_goes_wrong_every_invariant_holds(world: World) -> None:
    states: set[int] = set()
    for seed in range(SCHEDULES):
        outcome = world.run(plan_of(seed))
        assert not outcome.violations, (seed, outcome.violations)
        states |= outcome.states
    assert len(states) > SCHEDULES


def test_a_charge_under_a_new_key_each_time_is_found_and_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _charge_anew_each_time(monkeypatch)
    found = {
        violation.name for seed in range(40) for violation in world.run(plan_of(seed)).violations
    }
    assert "charged twice" in found


def test_a_violation_is_shrunk_to_what_it_takes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _charge_anew_each_time(monkeypatch)
    seed = _first_violating(world, range(40))
    before = replay(world, seed)
    shrunk = shrink(world, seed)
    assert shrunk is not None
    assert shrunk.outcome.violations[0].name == before.violations[0].name
    assert len(shrunk.outcome.plan.steps) <= len(before.plan.steps)
    assert len(shrunk.script) <= len(before.faults)
    assert any(line.startswith("violated: ") for line in told(shrunk.outcome, shrunk.script))


def _trace_of(seed: int, hash_seed: str) -> str:
    program = (
        "from cluster.simulation.replay import replay, told\n"
        "from cluster.simulation.world import World\n"
        f"with World().open() as world:\n    print(*told(replay(world, {seed})), sep='\\n')\n"
    )
    environment: dict[str, Any] = {**os.environ, "PYTHONHASHSEED": hash_seed}
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return run.stdout


def test_a_seed_gives_the_same_schedule_in_every_process(world: World) -> None:
    seed = next(s for s in range(200) if len(plan_of(s).steps) > 4 and plan_of(s).most > 3)
    world.run(plan_of(seed + 1))  # whatever ran before
    here = "\n".join(told(replay(world, seed))) + "\n"
    assert "✗" in here
    assert _trace_of(seed, "1") == here
