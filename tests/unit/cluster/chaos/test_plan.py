"""Which fault comes when."""

from itertools import islice, pairwise

import pytest

from actors.contracts.errors import SirenError
from cluster.chaos.fault import Begun, Fault
from cluster.chaos.plan import APART_S, Planned, chosen, plan


async def nothing(_seconds: float, _begun: Begun) -> None:
    """Do nothing."""


def fault(name: str, lasts: tuple[float, float] = (0.0, 0.0), takes: str = "") -> Fault:
    return Fault(name, name.partition("-")[0], name, nothing, lasts, takes)


FAULTS = [
    fault("kill-store", takes="store"),
    fault("stop-store", (1, 8), "store"),
    fault("kill-payment", takes="payment"),
    fault("lock-journal", (1, 6), "journal"),
    fault("slow-disk", (2, 6)),
]


def planned(seed: int, count: int = 100) -> list[Planned]:
    return list(islice(plan(FAULTS, seed), count))


def test_a_seed_gives_the_same_faults_at_the_same_times_again() -> None:
    assert planned(7) == planned(7)
    assert planned(7) != planned(8)


def test_each_fault_comes_once_before_any_comes_again() -> None:
    names = [each.fault.name for each in planned(3)]
    for turn in range(0, 100, len(FAULTS)):
        assert sorted(names[turn : turn + len(FAULTS)]) == sorted(f.name for f in FAULTS)


def test_faults_come_one_after_the_other_and_last_as_long_as_they_may() -> None:
    for one, next_one in pairwise(planned(3)):
        assert one.at_s < next_one.at_s
        assert one.fault.lasts[0] <= one.lasts_s <= one.fault.lasts[1]


def test_what_takes_the_same_away_is_kept_apart() -> None:
    of_store = [each for each in planned(5) if each.fault.takes == "store"]
    for one, next_one in pairwise(of_store):
        assert next_one.at_s >= one.at_s + one.lasts_s + APART_S


def test_forty_faults_of_many_kinds_fit_into_two_minutes() -> None:
    many = [fault(f"kind-{n}", (1, 8), f"kind {n}") for n in range(25)]
    in_time = [each for each in islice(plan(many, 1), 100) if each.at_s < 120]
    assert len(in_time) >= 30
    assert len({each.fault.name for each in in_time}) == 25


def test_faults_are_chosen_by_their_names_or_how_these_begin() -> None:
    assert [f.name for f in chosen(FAULTS, ["kill", "slow-disk"])] == [
        "kill-store",
        "kill-payment",
        "slow-disk",
    ]
    assert chosen(FAULTS, None) == FAULTS
    assert [f.name for f in chosen(FAULTS, ["kill-store", "kill"])] == [
        "kill-store",
        "kill-payment",
    ]


@pytest.mark.parametrize("name", ["drop", "kil", ""])
def test_a_fault_that_is_not_there_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(SirenError, match="lock-journal"):
        chosen(FAULTS, [name])
