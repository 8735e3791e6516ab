"""The simulation itself: that it finds what is wrong, repeats it, and says what it takes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from typer.testing import CliRunner

from actors.payment import service
from cluster.simulate_commands import app
from cluster.simulation.explore import CASES, TRIED, explore
from cluster.simulation.plan import plan_of
from cluster.simulation.replay import replay, shrink, told
from cluster.simulation.world import World

pytestmark = pytest.mark.timeout(300)
SCHEDULES = 400


@pytest.fixture
def world() -> Iterator[World]:
    with World().open() as built:
        yield built


def _first_violating(world: World, seeds: range) -> int:
    return next(seed for seed in seeds if world.run(plan_of(seed)).violations)


def _charge_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = count(1)
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
        violation.name for seed in range(80) for violation in world.run(plan_of(seed)).violations
    }
    assert "charged twice" in found


def test_clients_that_fail_by_themselves_do_not_pass_for_a_quiet_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("actors.client.AsyncSiren.place")
    outcome = world.run(plan_of(0))
    assert "an unexpected error" in {violation.name for violation in outcome.violations}


def test_a_violation_is_shrunk_to_what_it_takes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _charge_anew_each_time(monkeypatch)
    seed = _first_violating(world, range(80))
    before = replay(world, seed)
    shrunk = shrink(world, seed)
    assert shrunk is not None
    assert shrunk.outcome.violations[0].name == before.violations[0].name
    assert len(shrunk.outcome.plan.steps) <= len(before.plan.steps)
    assert len(shrunk.script) <= len(before.faults)
    assert any(line.startswith("violated: ") for line in told(shrunk.outcome, shrunk.script))


@pytest.mark.parametrize("case", ["never paid", "placed, then paid and cancelled at once"])
def test_one_fault_anywhere_in_a_small_case_does_no_harm(world: World, case: str) -> None:
    explored = explore(world, case, faults=1)
    points = world.run(CASES[case], {}, points=True).points or []
    assert not explored.found
    assert explored.schedules == 1 + sum(len(TRIED.get(place.kinds, ())) for place, _ in points)


def test_two_faults_wherever_they_meet_in_a_small_case_do_no_harm(world: World) -> None:
    one, two = (explore(world, "never paid", faults) for faults in (1, 2))
    assert not two.found
    assert 0 < two.alike < one.schedules
    assert two.schedules > 2 * one.schedules


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--schedules", "0"], "--schedules"),
        (["--schedules", "5", "--seconds", "5"], "either so many or for so long"),
        (["--exhaustive", "4"], "--exhaustive"),
        (["--exhaustive", "1", "--seconds", "5"], "explores all there are"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_an_option_that_cannot_be_is_named(options: list[str], words: str) -> None:
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 2
    assert words in result.output


def test_a_seed_that_violates_nothing_is_told_and_ends_well() -> None:
    result = CliRunner().invoke(app, ["--seed", "3", "--schedules", "1"])
    assert result.exit_code == 0
    assert "all invariants hold" in result.output


def test_a_violation_ends_the_command_with_1_and_says_how_to_repeat_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _charge_anew_each_time(monkeypatch)
    result = CliRunner().invoke(app, ["--schedules", "8"])
    assert result.exit_code == 1
    assert "charged for nothing" in result.output
    assert "siren simulate --seed" in result.output


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
    seed = next(seed for seed in range(200) if len(world.run(plan_of(seed)).faults) > 2)
    here = "\n".join(told(replay(world, seed))) + "\n"
    assert "✗" in here
    assert _trace_of(seed, "1") == here
