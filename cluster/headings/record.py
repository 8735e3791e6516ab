"""What a heading is, what it found, and how a figure becomes a verdict. Knows no system."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.headings.target import Target


class Verdict(StrEnum):
    """How a figure stands to what it must be and what it aims at; the best one first."""

    AIM = "aim met"
    MET = "met"
    MISSED = "missed"
    FAILED = "failed"

    @property
    def is_well(self) -> bool:
        """Whether the must is met."""
        return self in (Verdict.AIM, Verdict.MET)


@dataclass(frozen=True)
class Outcome:
    """One row of the table: what was done, the figure in words, and the numbers behind it.

    `problems`: what went wrong, word for word; the first few are shown.
    """

    done: str
    figure: str
    verdict: Verdict
    numbers: dict[str, float] = field(default_factory=dict)
    problems: Sequence[str] = ()


Measure = Callable[["Target"], AsyncIterator[Outcome]]


@dataclass(frozen=True)
class Heading:
    """One heading: `best_known` is the best figure of its lineage, "" where there is none.

    `measure` has `limit_s` seconds.
    """

    name: str
    best_known: str
    measure: Measure
    limit_s: float


def at_most(seen: float, must: float, aim: float | None = None) -> Verdict:
    """Judge a figure of which less is better; NaN misses."""
    if not seen <= must:
        return Verdict.MISSED
    return Verdict.AIM if seen <= (must if aim is None else aim) else Verdict.MET


def at_least(seen: float, must: float, aim: float | None = None) -> Verdict:
    """Judge a figure of which more is better; NaN misses."""
    return at_most(-seen, -must, None if aim is None else -aim)


def all_of(*verdicts: Verdict) -> Verdict:
    """Return the worst of some verdicts."""
    return max(verdicts, key=list(Verdict).index)
