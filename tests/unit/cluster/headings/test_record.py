"""A figure becomes a verdict."""

import math

import pytest

from cluster.headings.record import Verdict, all_of, at_least, at_most


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (1.0, Verdict.AIM),
        (1.5, Verdict.AIM),
        (2.0, Verdict.MET),
        (3.0, Verdict.MET),
        (3.1, Verdict.MISSED),
        (math.nan, Verdict.MISSED),
    ],
)
def test_less_is_better_where_a_figure_has_a_most(seen: float, verdict: Verdict) -> None:
    assert at_most(seen, 3.0, 1.5) is verdict


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [(20, Verdict.AIM), (10, Verdict.MET), (9, Verdict.MISSED), (math.nan, Verdict.MISSED)],
)
def test_more_is_better_where_a_figure_has_a_least(seen: float, verdict: Verdict) -> None:
    assert at_least(seen, 10, 20) is verdict


def test_what_has_no_aim_of_its_own_aims_at_the_must() -> None:
    assert at_most(0, 0) is Verdict.AIM
    assert at_least(1, 1) is Verdict.AIM


def test_several_figures_are_as_good_as_the_worst_of_them() -> None:
    assert all_of(Verdict.AIM, Verdict.MISSED, Verdict.MET) is Verdict.MISSED
    assert all_of(Verdict.MET, Verdict.FAILED) is Verdict.FAILED


def test_a_must_that_is_met_is_well_and_nothing_else_is() -> None:
    assert [verdict.is_well for verdict in Verdict] == [True, True, False, False]
