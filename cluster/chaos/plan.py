"""Which fault comes when: drawn from the seed alone."""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from actors.contracts.errors import SirenError
from cluster.chaos.fault import Fault

PAUSE_S = (1.5, 4.5)
"""From one fault's beginning to the next one's: some are not over by then."""
APART_S = 20.0
"""From one fault's end to the next that takes the same away: longer than what was lost takes to be
back. Two replicas at once, say, would leave nobody to answer."""


class Planned(NamedTuple):
    """A fault, when it begins, in seconds from the start, and how long it lasts."""

    at_s: float
    fault: Fault
    lasts_s: float


def plan(faults: Sequence[Fault], seed: int) -> Iterator[Planned]:
    """Return faults, one after the other, without end: each once, then in another order again.

    Those that take the same away are kept `APART_S` apart; where all that are left of a turn would
    be too soon, there is a longer pause.
    """
    chance = random.Random(f"faults {seed}")  # noqa: S311 - no secret
    now, left = chance.uniform(*PAUSE_S), list[Fault]()
    free_at: dict[str, float] = {}
    while True:
        left = left or chance.sample(list(faults), len(faults))
        fault = next((f for f in left if free_at.get(f.takes, 0.0) <= now), None)
        if fault is None:
            now = min(free_at[each.takes] for each in left)
            continue
        left.remove(fault)
        lasts = chance.uniform(*fault.lasts)
        yield Planned(now, fault, lasts)
        if fault.takes:
            free_at[fault.takes] = now + lasts + APART_S
        now += chance.uniform(*PAUSE_S)


def chosen(faults: Sequence[Fault], names: Sequence[str] | None) -> list[Fault]:
    """Return the faults of some names, or whose names begin so, such as `kill`; all where None.

    Raises `SirenError` where there is none of a name.
    """
    if names is None:
        return list(faults)
    found: list[Fault] = []
    for name in names:
        of_it = [f for f in faults if f.name == name or f.name.startswith(f"{name}-")]
        if not of_it:
            known = ", ".join(fault.name for fault in faults)
            raise SirenError("no_fault", f"no fault is called {name!r}; there are {known}")
        found += [fault for fault in of_it if fault not in found]
    return found
