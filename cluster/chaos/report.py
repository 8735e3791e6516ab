"""What a run has seen, for people and for machines."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cluster.chaos.clients import Waits
from cluster.chaos.history import Violation
from cluster.chaos.linearizability import Verdict

SCHEMA = 1
"""Raised where a field of the JSON goes, or means something else."""
SHOWN_VIOLATIONS = 1000


class Happened(NamedTuple):
    """A fault that was applied: when, in seconds from the start, to what, and for how long."""

    at_s: float
    name: str
    group: str
    words: str
    to: str
    lasts_s: float


@dataclass
class Report:
    """A run, as far as it has got.

    `settled_s`: for each stretch, how long after its last fault everything was at rest, and a new
    order was served; `left_out`: kinds of faults that could not be applied here, and why.
    """

    system: str
    seed: int
    rate: float
    seconds: float
    begun_at: str
    faults: list[Happened] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    nothing_there: Counter[str] = field(default_factory=Counter)
    """Planned faults whose target was not there, as it had been hit before."""
    acknowledged: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    settled_s: list[float] = field(default_factory=list)
    waits: dict[str, Waits] = field(default_factory=dict)
    audited: int = 0
    violations: list[Violation] = field(default_factory=list)
    interrupted: bool = False

    @property
    def kinds(self) -> int:
        """How many kinds of faults there were."""
        return len({fault.name for fault in self.faults})

    def as_json(self) -> dict[str, Any]:
        """Return it as `cluster/README.md` describes it."""
        return {
            "schema": SCHEMA,
            "system": self.system,
            "begun_at": self.begun_at,
            "seconds": self.seconds,
            "seed": self.seed,
            "rate": self.rate,
            "interrupted": self.interrupted,
            "faults": [
                {"at_s": round(at, 2), "kind": name, "to": to, "lasts_s": round(lasts, 2)}
                for at, name, _, _, to, lasts in self.faults
            ],
            "left_out": self.left_out,
            "nothing_there": dict(self.nothing_there),
            "orders": {
                "acknowledged": self.acknowledged,
                "refused": dict(self.refused),
                "by_status": dict(self.statuses),
            },
            "requests": {sort: _waits(waits) for sort, waits in self.waits.items()},
            "histories": {"calls": self.calls}
            | {verdict.replace(" ", "_"): self.verdicts[verdict] for verdict in Verdict},
            "settled_s": [round(seconds, 2) for seconds in self.settled_s],
            "audited_orders": self.audited,
            "violation_count": len(self.violations),
            "violations": [_violation(each) for each in self.violations[:SHOWN_VIOLATIONS]],
        }


def _waits(waits: Waits) -> dict[str, Any]:
    return {
        "answered": waits.answered,
        "unanswered": len(waits.waiting),
        "repeated": waits.repeated,
        "repeated_more_than_once": waits.repeated_more,
        "longest_s": round(waits.longest_s, 3),
        "longest_tries": waits.longest_tries,
        "longest_after": waits.longest_after,
    }


def _violation(violation: Violation) -> dict[str, Any]:
    return violation._asdict() | {"trace": list(violation.trace)}


def by_group(faults: Sequence[Happened]) -> dict[str, list[Happened]]:
    """Return faults by their groups."""
    groups: dict[str, list[Happened]] = {}
    for fault in faults:
        groups.setdefault(fault.group, []).append(fault)
    return groups
