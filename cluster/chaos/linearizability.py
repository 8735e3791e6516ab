"""Whether concurrent calls could have been answered as they were, had they run one at a time.

The search is Wing and Gong's ("Testing and Verifying Concurrent Objects", 1993) with the memory of
Lowe's and of porcupine: which calls have taken effect, in which states, is looked at once. It knows
nothing of orders.
"""

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

MOST = 200_000
"""So many steps of a search, and it is given up."""

State = TypeVar("State", bound=Hashable)
States = frozenset[State]
"""Where what is asked may be: more than one, because it also goes on by itself."""


class Call(NamedTuple):
    """What was asked and answered, from `begin` to `end`: seconds of one clock.

    Without an answer (`end` is infinite) it may take effect at any time after its beginning, or
    never. `after`: the index of a call that takes effect before it, whatever the times are.
    """

    begin: float
    end: float
    what: Hashable
    after: int | None = None


class Verdict(StrEnum):
    """What a search found."""

    LINEARIZABLE = "linearizable"
    NOT_LINEARIZABLE = "not linearizable"
    UNDECIDED = "undecided"


class Found(NamedTuple):
    """A verdict, and the longest order in which calls, by their indices, could take effect."""

    verdict: Verdict
    order: tuple[int, ...]


def linearize(
    calls: Sequence[Call],
    start: States[State],
    step: Callable[[States[State], Any], States[State]],
    most: int = MOST,
) -> Found:
    """Look for an order of all answered calls that fits their times and answers.

    `step` returns the states in which a call may leave what was in one of some states, given its
    answer; none where it could not have been answered so. Undecided after `most` steps.
    """
    answered = sum(1 << n for n, call in enumerate(calls) if call.end < math.inf)
    seen = {(0, start)}
    path: list[int] = []
    longest: tuple[int, ...] = ()
    stack = [(0, start, _candidates(calls, 0))]
    while stack:
        done, states, candidates = stack[-1]
        if done & answered == answered:
            return Found(Verdict.LINEARIZABLE, tuple(path))
        number = next(candidates, None)
        if number is None:
            stack.pop()
            del path[-1:]
            continue
        reached = (done | 1 << number, step(states, calls[number].what))
        if not reached[1] or reached in seen:
            continue
        if len(seen) >= most:
            return Found(Verdict.UNDECIDED, longest)
        seen.add(reached)
        path.append(number)
        longest = max(longest, tuple(path), key=len)
        stack.append((*reached, _candidates(calls, reached[0])))
    return Found(Verdict.NOT_LINEARIZABLE, longest)


def _candidates(calls: Sequence[Call], done: int) -> Iterator[int]:
    """Return the calls that may take effect next: no other had ended before they began."""
    left = [n for n in range(len(calls)) if not done >> n & 1]
    first_end = min((calls[n].end for n in left), default=math.inf)
    for number in sorted(left, key=lambda n: calls[n].end):
        call = calls[number]
        if call.begin <= first_end and (call.after is None or done >> call.after & 1):
            yield number
