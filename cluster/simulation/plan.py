"""What people do in a schedule, and what happens to the machines meanwhile. Made of its seed."""

from dataclasses import dataclass, replace
from random import Random

from cluster.simulation.chance import Fault

DECLINED = "tok_decline"
APPROVED = "tok_approve"


@dataclass(frozen=True)
class Step:
    """One thing that somebody does to an order, or to its store, at a moment in seconds.

    `key` tells it from others; the same key again is a repeat. `token` pays; `patience` is how
    long an answer may take, and `tries` how often it is asked again without one.
    """

    at: float
    order: int
    what: str
    key: str
    token: str | None = None
    wait: float = 2.0
    tries: int = 5

    def __str__(self) -> str:
        token = f" with {self.token}" if self.token else ""
        return f"{self.at:6.3f} s: {self.what} order {self.order + 1}{token} (key {self.key})"


@dataclass(frozen=True)
class Happening:
    """Something that happens to a machine or a system at a moment; `after`: by how many seconds."""

    at: float
    fault: Fault
    system: str
    after: float = 0.0


@dataclass(frozen=True)
class Plan:
    """A schedule: `rate`, `most` and `focus` are of the faults beside those planned.

    `even`: all messages take the same time. `view_late`: no projector runs before all else rests.
    `slow_disk`: each commit takes some milliseconds. `forgetful`: orders leave memory as soon as
    they may.
    """

    seed: int
    steps: tuple[Step, ...]
    happenings: tuple[Happening, ...] = ()
    rate: int = 0
    most: int = 0
    two_systems: bool = False
    even: bool = False
    view_late: bool = False
    focus: str = ""
    forgetful: bool = False
    slow_disk: bool = False

    def without_step(self, number: int) -> "Plan":
        """Return the plan without one thing that somebody does."""
        return replace(self, steps=self.steps[:number] + self.steps[number + 1 :])

    def with_one_system(self) -> "Plan":
        """Return the plan with one system alone."""
        return replace(self, two_systems=False)

    def without_happening(self, number: int) -> "Plan":
        """Return the plan without one thing that happens."""
        left = self.happenings[:number] + self.happenings[number + 1 :]
        return replace(self, happenings=left)


SMALL = 0.93
"""Of all schedules so many are small. They find more in the same time: whatever goes wrong has
more to do with what else happens at that moment than with what happened long before."""


def plan_of(seed: int) -> Plan:
    """Return the plan of a seed."""
    chance = Random(seed)
    return _small(chance, seed) if chance.random() < SMALL else _large(chance, seed)


def _small(chance: Random, seed: int) -> Plan:
    """Return a plan of one order, with a command or two, and up to four faults."""
    steps = _short_life(chance)
    if chance.random() < 0.1:
        steps.append(_of_store(chance, chance.choice((0.1, 0.5))))
    if chance.random() < 0.08:  # by another customer, whose phone has the same idea of a key
        steps.append(Step(chance.uniform(0, 0.2), 1, "place", "place", APPROVED))
    two = chance.random() < 0.08
    focus = chance.choice(FOCUSES) if chance.random() < 0.5 else ""
    crowded = chance.random() < CROWDED
    return Plan(
        seed,
        _with_twins(chance, steps, 0.5 if crowded else TWINS),
        tuple(_happenings(chance, two_systems=two, often=0.4)),
        rate=chance.choice((1500, 4000, 9000)),
        most=chance.choice((1, 1, 2, 2, 3, 4)),
        two_systems=two,
        view_late=chance.random() < 0.7 and focus != OF_VIEW,
        focus=focus,
        forgetful=crowded,
        slow_disk=crowded or chance.random() < 0.1,
    )


def _large(chance: Random, seed: int) -> Plan:
    steps: list[Step] = []
    for order in range(chance.choice((1, 1, 1, 2))):
        steps += _life(chance, order)
    if chance.random() < 0.15:
        steps.append(_of_store(chance, 3))
    two = chance.random() < 0.3
    crowded = chance.random() < CROWDED
    return Plan(
        seed,
        _with_twins(chance, steps, 0.5 if crowded else TWINS),
        tuple(_happenings(chance, two_systems=two, often=1)),
        rate=chance.choice((600, 1500, 4000)),
        most=chance.choice((0, 1, 2, 3, 3, 4, 6)),
        two_systems=two,
        focus=chance.choice(FOCUSES) if chance.random() < 0.5 else "",
        forgetful=crowded,
        slow_disk=crowded or chance.random() < 0.1,
    )


def _of_store(chance: Random, until: float) -> Step:
    return Step(chance.uniform(0, until), 0, chance.choice(_STORE), "store", tries=1)


_STORE = ("close", "sell out", "raise the price")


def _short_life(chance: Random) -> list[Step]:
    """Return what people do to an order: they place it, and do one thing more, or nothing."""
    token = chance.choice((APPROVED, APPROVED, APPROVED, DECLINED, None))
    wait = chance.choice((0.0, 0.3, 2.0))
    placing = Step(0.0, 0, "place", "place", token, wait)
    what = chance.choice(("cancel", "cancel", "reject", "make", "place", "nothing", "erase"))
    if token is not APPROVED and chance.random() < 0.6:
        what = "pay"
    at = chance.choice((chance.expovariate(20), chance.expovariate(1)))
    match what:
        case "nothing":
            return [placing]
        case "make":
            made = [placing]
            for what in ("start", "ready", "complete")[: chance.randint(1, 3)]:
                made.append(Step(at, 0, what, f"{what}-0"))
                at += chance.expovariate(5)
            return made
        case "place":  # somebody taps twice, or the phone asks again
            return [placing, replace(placing, at=at)]
        case "pay":
            paying = Step(
                at, 0, "pay", "pay-0", chance.choice((APPROVED, APPROVED, DECLINED)), wait
            )
            more = chance.choice(("pay", "cancel", None, None, None))
            later = at + chance.expovariate(5)
            if more == "pay":
                return [placing, paying, replace(paying, at=later)]
            return [placing, paying, *([Step(later, 0, more, f"{more}-0")] if more else [])]
    return [placing, Step(at, 0, what, f"{what}-0")]


CROWDED = 0.1
"""Of so many schedules all orders leave memory at once, while much is asked of them together."""
TWINS = 0.1
OF_VIEW = "commit of readmodel"
FOCUSES = (
    "request",
    "reply",
    "commit of journal",
    "commit of payments",
    "commit of stores",
    OF_VIEW,
    "payment",
    "store",
    "provider",
)
"""Words in the names of places."""


def _with_twins(chance: Random, steps: list[Step], often: float) -> tuple[Step, ...]:
    """Return what people do, in order; now and then the same comes from two at the same moment."""
    twins = [
        replace(step, at=step.at + chance.choice((0.0, 0.003, 0.02)))
        for step in steps
        if chance.random() < often
    ]
    return tuple(sorted(steps + twins, key=lambda step: step.at))


def _life(chance: Random, order: int) -> list[Step]:
    """Return what people do to one order."""
    token = chance.choice((APPROVED, APPROVED, APPROVED, DECLINED, None, None))
    begin = chance.uniform(0, 0.3)
    wait = chance.choice((0.0, 0.3, 2.0, 10.0))
    placing = Step(begin, order, "place", "place", token, wait)  # who it is tells customers apart
    steps = [placing]
    if chance.random() < 0.2:  # somebody taps twice, or the phone asks again
        steps.append(replace(placing, at=begin + chance.expovariate(4)))
    if token is not APPROVED and chance.random() < 0.8:
        paying = chance.choice((APPROVED, APPROVED, DECLINED))
        at = begin + chance.expovariate(1)
        steps.append(Step(at, order, "pay", f"pay-{order}", paying, wait))
        if chance.random() < 0.4:
            again = chance.choice((f"pay-{order}", f"pay-again-{order}"))
            same = paying if again == f"pay-{order}" else APPROVED
            later = at + chance.expovariate(1)
            steps.append(Step(later, order, "pay", again, same, wait))
    ending = chance.choice(("cancel", "cancel", "make", "make", "make", "reject", "nothing"))
    at = begin + chance.expovariate(1)
    if ending == "make":
        for what in ("start", "ready", "complete")[: chance.randint(1, 3)]:
            at += chance.expovariate(1)
            steps.append(Step(at, order, what, f"{what}-{order}"))
        if chance.random() < 0.3:
            at += chance.expovariate(1)
            steps.append(Step(at, order, "reject", f"reject-{order}"))
    if ending == "reject":
        steps.append(Step(at, order, "reject", f"reject-{order}"))
    if ending == "cancel" or chance.random() < 0.15:
        later = begin + chance.expovariate(0.7)
        steps.append(Step(later, order, "cancel", f"cancel-{order}"))
    if chance.random() < 0.1:
        steps.append(Step(begin + chance.expovariate(0.3), order, "erase", f"erase-{order}"))
    return steps


def _happenings(chance: Random, *, two_systems: bool, often: float) -> list[Happening]:
    found = []
    if chance.random() < 0.15 * often:
        forward = Happening(
            chance.uniform(0, 6), Fault.CLOCK_FORWARD, "A", chance.choice((15.0, 30.0, 3600.0))
        )
        found.append(forward)
    if chance.random() < 0.15 * often:
        found.append(Happening(chance.uniform(0, 6), Fault.CLOCK_BACK, "A", -3600.0))
    if chance.random() < 0.15 * often:
        found.append(Happening(chance.uniform(0, 2), Fault.SECOND_PROJECTOR, "A"))
    if two_systems and chance.random() < 0.4:
        found.append(Happening(chance.uniform(0.1, 5), Fault.ENDS, chance.choice("AB")))
    if chance.random() < 0.1 * often:
        found.append(Happening(chance.uniform(0, 5), Fault.KILLED, "A"))
    return sorted(found, key=lambda each: each.at)
