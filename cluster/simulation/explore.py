"""Small cases explored to the end: every way in which up to so many faults can meet an order.

All messages take the same time, so that nothing is left to chance but the faults; each point that a
schedule passes is tried with each fault of `TRIED` that can happen there, and so on from each of
these schedules.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from cluster.simulation.chance import COMMIT, REPLY, REQUEST, Fault, Place, Script
from cluster.simulation.plan import APPROVED, DECLINED, Plan, Step
from cluster.simulation.world import World

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
    return Plan(0, made, even=True)


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
    """What a case came to: how many schedules there were, and which of them violate what."""

    schedules: int = 0
    states: set[int] = field(default_factory=set)
    found: list[tuple[Script, str]] = field(default_factory=list)

    def add(self, other: "Explored") -> None:
        """Take another part into account."""
        self.schedules += other.schedules
        self.states |= other.states
        self.found += other.found


def branches(world: World, case: str) -> list[Script]:
    """Return the scripts of one fault with which all others of a case begin."""
    return [script for script, _ in _next(world, CASES[case], {}, -1, Explored())]


def explore(world: World, case: str, faults: int, first: Script | None = None) -> Explored:
    """Run every schedule of a case with up to so many faults; those that begin with `first`."""
    explored = Explored()
    plan = CASES[case]
    begin = (first, _place_of(world, plan, first)) if first else ({}, -1)
    under_way = [begin]
    while under_way:
        script, last = under_way.pop()
        more = list(_next(world, plan, script, last, explored))
        if len(script) < faults:
            under_way += more
    return explored


def _next(
    world: World, plan: Plan, script: Script, last: int, explored: Explored
) -> Iterator[tuple[Script, int]]:
    """Run a script, and yield those that have one fault more, behind its last one."""
    outcome = world.run(plan, script, points=True)
    explored.schedules += 1
    explored.states |= outcome.states
    explored.found += [(script, str(each)) for each in outcome.violations]
    points: list[tuple[Place, int]] = outcome.points or []
    for at in range(last + 1, len(points)):
        place, number = points[at]
        for fault in TRIED.get(place.kinds, ()):
            yield {**script, (place.name, number): fault}, at


def _place_of(world: World, plan: Plan, script: Script) -> int:
    """Return where among the points of a case's first schedule a script's only fault is."""
    points = world.run(plan, {}, points=True).points or []
    (wanted,) = script
    return [(place.name, number) for place, number in points].index(wanted)
