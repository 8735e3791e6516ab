"""A schedule again, by its seed: shrunk to what it takes, and told for people to read."""

from collections.abc import Iterator
from dataclasses import dataclass

from cluster.simulation.chance import Script
from cluster.simulation.plan import Plan, plan_of
from cluster.simulation.world import Outcome, World

MOST_TRIES = 400


@dataclass(frozen=True)
class Shrunk:
    """A schedule that still violates what it did, and nothing of which can be left out."""

    outcome: Outcome
    script: Script
    tries: int


def replay(world: World, seed: int) -> Outcome:
    """Run a seed's schedule as it is, with its trace."""
    return world.run(plan_of(seed), traced=True)


def shrink(world: World, seed: int, wanted: str | None = None) -> Shrunk | None:
    """Return the least of a seed's schedule that violates the same; None where it violates nothing.

    The same is the invariant named `wanted`, or else the first that it violates.

    First what people do is left out, then what happens to machines, then one fault after another.
    """
    first = world.run(plan_of(seed))
    if not first.violations:
        return None
    name = wanted or first.violations[0].name
    plan, script, tries = first.plan, first.faults, 0

    def still(plan: Plan, script: Script) -> bool:
        nonlocal tries
        tries += 1
        violations = world.run(plan, script).violations
        return any(each.name == name for each in violations)

    if not still(plan, script):  # cannot be: the script is what went wrong
        return Shrunk(world.run(plan, traced=True), script, tries)
    smaller = True
    while smaller and tries < MOST_TRIES:
        smaller = False
        for less_plan, less_script in _less(plan, script):
            if still(less_plan, less_script):
                plan, script, smaller = less_plan, less_script, True
                break
    return Shrunk(world.run(plan, script, traced=True), script, tries)


def _less(plan: Plan, script: Script) -> Iterator[tuple[Plan, Script]]:
    """Yield all schedules that have one thing less."""
    for number in range(len(plan.steps)):
        yield plan.without_step(number), script
    for number in range(len(plan.happenings)):
        yield plan.without_happening(number), script
    if plan.two_systems:
        yield plan.with_one_system(), script
    for point in script:
        yield plan, {each: fault for each, fault in script.items() if each != point}


def told(outcome: Outcome, script: Script | None = None) -> Iterator[str]:
    """Yield the lines that tell a schedule: what was to happen, what did, and what is wrong."""
    faults = outcome.faults if script is None else script
    yield f"seed {outcome.plan.seed}" + (", two systems" if outcome.plan.two_systems else "")
    for step in outcome.plan.steps:
        yield f"  {step}"
    for happening in outcome.plan.happenings:
        yield f"  {happening.at:6.3f} s: system {happening.system} {happening.fault}"
    for (place, number), fault in faults.items():
        yield f"  fault: {place}, time {number}: {fault}"
    yield from outcome.trace or ()
    for violation in outcome.violations:
        yield f"violated: {violation}"
