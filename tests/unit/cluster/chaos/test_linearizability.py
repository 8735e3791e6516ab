"""The search itself, on a register: histories that are and are not linearizable."""

import itertools
import math
import random
from collections.abc import Hashable

import pytest

from cluster.chaos.linearizability import Call, Verdict, linearize

START = frozenset((0,))


def register(states: frozenset[int], what: Hashable) -> frozenset[int]:
    """A number that is written, read, or counted up from what was expected."""
    assert isinstance(what, tuple)
    match what:
        case ("write", int(value)):
            return frozenset((value,))
        case ("read", int(value)):
            return states & {value}
        case ("swap", int(old), int(new)):
            return frozenset((new,)) if old in states else frozenset()
    raise AssertionError(what)


def call(begin: float, end: float, *what: object, after: int | None = None) -> Call:
    return Call(begin, end, what, after)


def verdict(*calls: Call, most: int = 10_000) -> Verdict:
    return linearize(calls, START, register, most).verdict


def test_calls_one_after_the_other_are_linearizable() -> None:
    assert verdict(call(0, 1, "write", 1), call(2, 3, "read", 1)) is Verdict.LINEARIZABLE


def test_a_read_of_what_was_overwritten_before_it_began_is_stale() -> None:
    written = (call(0, 1, "write", 1), call(2, 3, "write", 2))
    assert verdict(*written, call(4, 5, "read", 1)) is Verdict.NOT_LINEARIZABLE
    assert verdict(*written, call(2.5, 5, "read", 1)) is Verdict.LINEARIZABLE


def test_two_reads_during_a_write_may_not_see_the_new_value_and_then_the_old_one() -> None:
    write = call(0, 10, "write", 1)
    assert verdict(write, call(1, 2, "read", 0), call(3, 4, "read", 1)) is Verdict.LINEARIZABLE
    back = verdict(write, call(1, 2, "read", 1), call(3, 4, "read", 0))
    assert back is Verdict.NOT_LINEARIZABLE


def test_two_that_both_swapped_the_same_value_lost_an_update() -> None:
    one = call(0, 2, "swap", 0, 1)
    assert verdict(one, call(1, 3, "swap", 1, 2)) is Verdict.LINEARIZABLE
    assert verdict(one, call(1, 3, "swap", 0, 2)) is Verdict.NOT_LINEARIZABLE


@pytest.mark.parametrize("seen", [0, 1])
def test_a_call_without_an_answer_took_effect_or_did_not(seen: int) -> None:
    unanswered = call(0, math.inf, "write", 1)
    assert verdict(unanswered, call(5, 6, "read", seen)) is Verdict.LINEARIZABLE


def test_a_call_without_an_answer_takes_no_effect_before_it_began() -> None:
    early = verdict(call(0, 1, "read", 1), call(2, math.inf, "write", 1))
    assert early is Verdict.NOT_LINEARIZABLE


def test_a_call_without_an_answer_takes_effect_once() -> None:
    unanswered = call(0, math.inf, "swap", 0, 1)
    reads = [call(n, n + 0.5, "read", value) for n, value in enumerate((0, 1), start=1)]
    rewritten = [call(3, 3.5, "write", 0), call(4, 4.5, "read", 1)]
    assert verdict(unanswered, *reads) is Verdict.LINEARIZABLE
    assert verdict(unanswered, *reads, *rewritten) is Verdict.NOT_LINEARIZABLE


def test_a_call_that_follows_another_one_does_not_take_effect_before_it() -> None:
    overlapping = call(0, 9, "write", 1)
    assert verdict(overlapping, call(0, 9, "read", 0)) is Verdict.LINEARIZABLE
    assert verdict(overlapping, call(0, 9, "read", 0, after=0)) is Verdict.NOT_LINEARIZABLE


def test_a_search_that_takes_too_long_is_undecided() -> None:
    calls = [call(0, 100, "write", n) for n in range(1, 12)]
    assert verdict(*calls, call(101, 102, "read", 99), most=500) is Verdict.UNDECIDED


def test_what_is_found_is_an_order_that_fits() -> None:
    calls = (call(0, 5, "write", 2), call(0, 5, "write", 1), call(6, 7, "read", 2))
    assert linearize(calls, START, register).order == (1, 0, 2)


def test_the_search_agrees_with_trying_all_orders() -> None:
    chance = random.Random(1)
    verdicts = set()
    for _ in range(300):
        calls = [_random_call(chance) for _ in range(chance.randint(2, 5))]
        found = verdict(*calls)
        assert (found is Verdict.LINEARIZABLE) == _by_all_orders(calls), calls
        verdicts.add(found)
    assert verdicts == {Verdict.LINEARIZABLE, Verdict.NOT_LINEARIZABLE}


def _random_call(chance: random.Random) -> Call:
    begin = chance.uniform(0, 6)
    what = chance.choice((("write",), ("read",), ("swap", chance.randint(0, 2))))
    end = math.inf if chance.random() < 0.2 else begin + chance.uniform(0.1, 4)
    return Call(begin, end, (*what, chance.randint(0, 2)))


def _by_all_orders(calls: list[Call]) -> bool:
    answered = {n for n, each in enumerate(calls) if each.end < math.inf}
    for count in range(len(answered), len(calls) + 1):
        for order in itertools.permutations(range(len(calls)), count):
            if answered <= set(order) and _fits(calls, order):
                return True
    return False


def _fits(calls: list[Call], order: tuple[int, ...]) -> bool:
    for place, number in enumerate(order):
        if any(calls[later].end < calls[number].begin for later in order[place:]):
            return False
    states = START
    for number in order:
        states = register(states, calls[number].what)
        if not states:
            return False
    return True
