"""Where a schedule's chance comes from: numbers that follow from its seed, a place, and a count.

Nothing is drawn from a sequence: the fifth reply of payment to the order host is lost, or takes
8 ms, whatever else happened before. So a schedule with a fault less stays the same in all else, and
can be shrunk.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from zlib import crc32

_MASK = (1 << 64) - 1
_OF_SEED, _OF_PLACE = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03


class Fault(StrEnum):
    """What can go wrong at one place."""

    # a message
    DROPPED = "is lost with its connection, and sent again"
    SWALLOWED = "is lost, and nobody notices"
    DELAYED = "comes late"
    TWICE = "comes twice"
    # a commit
    CRASH_BEFORE = "is killed before the commit"
    CRASH_AFTER = "is killed after the commit"
    REFUSED = "finds the database away"
    UNANSWERED = "commits, and is told that the database is away"
    STOPPED_BEFORE = "is stopped before the commit"
    STOPPED_AFTER = "is stopped after the commit"
    SLOW = "waits for the disk"
    # a provider
    FAILS = "fails"
    # a machine or a system, at a moment
    KILLED = "is killed"
    CLOCK_FORWARD = "has its clock set forward"
    CLOCK_BACK = "has its clock set back an hour"
    SECOND_PROJECTOR = "runs a second projector"
    SECOND_SYSTEM = "begins on the same databases"
    ENDS = "ends for good"


REQUEST = (Fault.DROPPED, Fault.SWALLOWED, Fault.DELAYED, Fault.TWICE)
REPLY = (Fault.DROPPED, Fault.SWALLOWED, Fault.DELAYED)
COMMIT = (
    Fault.CRASH_BEFORE,
    Fault.CRASH_AFTER,
    Fault.REFUSED,
    Fault.UNANSWERED,
    Fault.STOPPED_BEFORE,
    Fault.STOPPED_AFTER,
    Fault.SLOW,
)
READ = (Fault.REFUSED,)
ASKED = (Fault.SWALLOWED, Fault.DELAYED, Fault.TWICE, Fault.FAILS)
ANSWERED = (Fault.SWALLOWED, Fault.DELAYED)
SELDOM = 3
FOCUSED = 8
NUDGE = (Fault.SWALLOWED, Fault.DELAYED)


@dataclass(frozen=True)
class Place:
    """Somewhere that faults happen, and which ones; `salt` makes its numbers its own.

    `seldom`: how many times the rate is halved there, since it is passed so often.
    """

    name: str
    kinds: tuple[Fault, ...]
    salt: int
    seldom: int


@lru_cache(maxsize=4096)
def place(name: str, kinds: tuple[Fault, ...]) -> Place:
    """Return a place by its name."""
    return Place(name, kinds, crc32(name.encode()) * _OF_PLACE, SELDOM if kinds is READ else 0)


Point = tuple[str, int]
"""A place's name, and the how-manieth time that something happened there."""
Script = dict[Point, Fault]


class Chance:
    """The chance of one schedule. With a `script` nothing goes wrong but what stands in it.

    `rate`: of so many of 65,536 points something goes wrong, at most `most` times; `FOCUSED` times
    as often at places with the word `focus` in their names. `points` has, in order, all points that
    were passed, where that is asked for.
    """

    def __init__(
        self,
        seed: int,
        rate: int = 0,
        most: int = 0,
        script: Script | None = None,
        focus: str = "",
    ) -> None:
        self.seed = seed
        self.script = script
        self.happened: Script = {}
        self.points: list[tuple[Place, int]] | None = None
        self.over = False
        self._rate = rate
        self._focus = focus
        self._left = most
        self._counts: dict[str, int] = {}
        self._salt = seed * _OF_SEED

    def _rate_at(self, at: Place) -> int:
        rate = self._rate >> at.seldom
        return rate * FOCUSED if self._focus and self._focus in at.name else rate

    def draw(self, at: Place) -> tuple[Fault | None, int]:
        """Pass a place: return what goes wrong there, if anything does, and the point's bits."""
        counts, name = self._counts, at.name
        number = counts[name] = counts.get(name, 0) + 1
        # 64 bits that look like chance: the finalizer of splitmix64
        bits = (self._salt + at.salt + number * 0x8CB92BA72F3D8DD7) & _MASK
        bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
        bits ^= bits >> 31
        if self.over:
            return None, bits
        if self.points is not None:
            self.points.append((at, number))
        if self.script is not None:
            fault = self.script.get((name, number))
        elif self._left > 0 and (bits & 0xFFFF) < self._rate_at(at):
            fault = at.kinds[(bits >> 16) % len(at.kinds)]
        else:
            return None, bits
        if fault is not None:
            self._left -= 1
            self.happened[name, number] = fault
        return fault, bits
