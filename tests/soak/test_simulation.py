"""The long form of tests/simulation: 100,000 schedules, and two faults in small cases (an hour)."""

import pytest

from cluster.simulation.runner import Total, explore_many, run_many

SCHEDULES = 100_000


@pytest.mark.timeout(3600)
def test_no_schedule_of_100_000_violates_anything() -> None:
    def told(total: Total) -> None:
        if total.part.schedules % 10_000 == 0:
            print(f"{total.part.schedules:,} schedules, {total.states.count:,} distinct states")

    total = run_many(0, SCHEDULES, None, told)
    assert total.part.schedules == SCHEDULES
    assert not total.part.found


@pytest.mark.timeout(3600)
def test_two_faults_wherever_they_meet_a_small_case_do_no_harm() -> None:
    done = explore_many(2, lambda case, explored: print(f"{case}: {explored.schedules:,}"))
    assert not [case for case, explored in done.items() if explored.found]
    assert sum(explored.schedules for explored in done.values()) > 10_000
