"""Small cases explored to the end: every way in which up to so many faults can meet an order.

All messages take the same time, so that nothing is left to chance but the faults; each point that a
schedule passes is tried with each fault of `TRIED` that can happen there, and so on from each of
these schedules.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from cluster.simulation.chance import COMMIT, REPLY, REQUEST, Fault, Script
from cluster.simulation.plan import APPROVED, DECLINED, Plan, Step
from cluster.simulation.world import Outcome, World

MOST_FAULTS = 3
TRIED: dict[tuple[Fault, ...], tuple[Fault, ...]] = {
    REQUEST: (Fault.SWALLOWED, Fault.DELAYED, Fault.TWICE),
    REPLY: (Fault.DROPPED, Fault.DELAYED),
    COMMIT: (Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.UNANSWERED, Fault.STOPPED_BEFORE),
}
"""What is lost with its connection is sent again, as a reply that is lost has the request sent
again; a commit that is refused is one that was never begun."""


def _case(*steps: tuple[float, str, str | None]) -> Plan:
    made = tuple(Step(at, 0, what, f"{what}-0", token) for at, what, token in steps)
    return Plan(0, made, even=True, view_late=True)


CASES: dict[str, Plan] = {
    "placed and paid, then cancelled": _case((0, "place", APPROVED), (0.5, "cancel", None)),
    "cancelled while it is paid": _case((0, "place", APPROVED), (0.007, "cancel", None)),
    "placed, then paid": _case((0, "place", None), (0.1, "pay", APPROVED)),
    "placed, then paid and cancelled at once": _case(
        (0, "place", None), (0.1, "pay", APPROVED), (0.102, "cancel", None)
    ),
    "declined, then paid": _case((0, "place", DECLINED), (0.5, "pay", APPROVED)),
    "placed and paid, then made": _case((0, "place", APPROVED), (0.5, "start", None)),
    "placed and paid, then rejected": _case((0, "place", APPROVED), (0.5, "reject", None)),
    "never paid": _case((0, "place", None)),
}
"""One order each, and two commands, or three that meet."""


@dataclass
class Explored:
    """What a case came to: how many schedules there were, and which of them violate what.

    `alike`: of how many the rest was seen before, so that no further fault was tried in them.
    """

    schedules: int = 0
    alike: int = 0
    states: set[int] = field(default_factory=set)
    found: list[tuple[Script, str]] = field(default_factory=list)

    def add(self, other: "Explored") -> None:
        """Take another part into account."""
        self.schedules += other.schedules
        self.alike += other.alike
        self.states |= other.states
        self.found += other.found


def explore(world: World, case: str, faults: int) -> Explored:
    """Run every schedule of a case with up to so many faults.

    A schedule that after its last fault passes the same points in the same order as another one,
    and ends alike, is taken for the same as that from there on: no fault is added to it. Such are
    a repeat that changed nothing, and two ways to lose the same message.
    """
    explored, seen = Explored(), dict[int, int]()
    under_way: list[tuple[Script, int]] = [({}, -1)]  # and where the last fault is
    while under_way:
        script, last = under_way.pop()
        outcome = world.run(CASES[case], script, points=True)
        explored.schedules += 1
        explored.states |= outcome.states
        explored.found += [(script, str(each)) for each in outcome.violations]
        number = len(script)
        if number == faults:
            continue
        if seen.get(_rest(outcome, last), MOST_FAULTS) <= number:
            explored.alike += 1
            continue
        for at in range(last, len(outcome.points or ())):
            rest = _rest(outcome, at)
            seen[rest] = min(number, seen.get(rest, MOST_FAULTS))
        under_way += _more(script, last, outcome)
    return explored


def _rest(outcome: Outcome, last: int) -> int:
    """Return a number of what happened behind a point, and of what it came to."""
    points = outcome.points or []
    rest = tuple(place.salt for place, _ in points[last + 1 :])
    return hash((outcome.ending, rest))


def _more(script: Script, last: int, outcome: Outcome) -> Iterator[tuple[Script, int]]:
    """Yield the scripts that have one fault more, behind their last one."""
    for at, (place, number) in enumerate(outcome.points or ()):
        if at > last:
            for fault in TRIED.get(place.kinds, ()):
                yield {**script, (place.name, number): fault}, at
