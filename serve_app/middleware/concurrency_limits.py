"""How many requests are served at the same time. Knows neither routes nor HTTP.

A request has a place while work is done for it, and gives it back while it merely waits: for an
order to settle, for a version of the view, for a stream's next event. Those who wait have larger
bounds of their own, so that they hold up nobody.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from enum import Enum

from actors.command_waits import LATE_S
from serve_app.contract.identity import Identity, Role
from serve_app.contract.problem_types import OVERLOADED, TOO_MANY_AT_ONCE, TOO_MANY_STREAMS
from serve_app.contract.problems import Refused, problem

SHARE = 5
"""One place in so many is for reads alone, and one for commands alone."""
WAITING = 5
"""So many times as many requests may wait as may be worked on."""
STREAMS = 10_000
"""Streams that a replica keeps open; an idle one costs little but memory."""
HEALTH = 100
"""Health checks at the same time, whatever else is under way."""
AT_ONCE = {Role.CUSTOMER: 30, Role.STAFF: 100}
"""Requests that one subject may have under way; owner and service may have any number."""
STREAMS_EACH = {Role.CUSTOMER: 20, Role.STAFF: 100}
"""Streams that one subject may keep open beside them."""

FEWEST = 32
"""Commands that are begun at a time however long each takes."""
GAIN = 1 / 8
"""How many more each of them that is in time lets begin: it settles within seconds."""

Subject = tuple[Role, str]


class Kind(Enum):
    """What a request is for. A flood of one kind leaves the others their share."""

    READ = "read"
    COMMAND = "command"
    HEALTH = "health"


def capacity(at_once: int) -> int:
    """Return how many requests may be under way at most, with all that wait, and streams."""
    return at_once * (1 + WAITING) + STREAMS + HEALTH


class _Bound:
    """At most `most` of something at the same time."""

    __slots__ = ("most", "taken")

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0

    def take(self) -> bool:
        if self.taken >= self.most:
            return False
        self.taken += 1
        return True

    def give_back(self) -> None:
        self.taken -= 1


class _Quota:
    """At most so many of something for each subject, by its role."""

    __slots__ = ("_most", "_taken")

    def __init__(self, most: dict[Role, int]) -> None:
        self._most = most
        self._taken: Counter[Subject] = Counter()

    def take(self, identity: Identity) -> int | None:
        """Count one more; return the bound where that would be one too many."""
        most = self._most.get(identity.role)
        if most is None:
            return None
        subject = (identity.role, identity.subject)  # a customer may be called "owner"
        if self._taken[subject] >= most:
            return most
        self._taken[subject] += 1
        return None

    def give_back(self, identity: Identity) -> None:
        if identity.role in self._most:
            subject = (identity.role, identity.subject)
            self._taken[subject] -= 1
            if not self._taken[subject]:
                del self._taken[subject]


class _Pace:
    """How many commands are begun at a time so that four of five take no longer than `LATE_S`.

    With more of them each only takes longer, until those who sent them have gone.
    """

    __slots__ = ("at_once",)

    def __init__(self, at_once: float) -> None:
        self.at_once = at_once

    def note(self, took_s: float, most: int) -> None:
        """Learn from a command for which work was done for so long."""
        if took_s > LATE_S:
            self.at_once = max(FEWEST, self.at_once - 4 * GAIN)
        else:
            self.at_once = min(most, self.at_once + GAIN)


class Places:
    """The places of one replica: `at_once` for work, and bounds for those who wait."""

    def __init__(self, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._reads, self._commands, self._all_work, self.waiting = (_Bound(0) for _ in range(4))
        self.resize(at_once)
        self._work = {
            Kind.READ: (self._reads, self._all_work),
            Kind.COMMAND: (self._commands, self._all_work),
            Kind.HEALTH: (_Bound(HEALTH),),
        }
        self.waiting_commands = 0
        self._pace = _Pace(self._commands.most)
        self.streams = _Bound(STREAMS)
        self.requests_of = _Quota(AT_ONCE)
        self.streams_of = _Quota(STREAMS_EACH)

    def resize(self, at_once: int) -> None:
        """Have so many places from now on; where more are taken, nobody enters until fewer are."""
        self._all_work.most = at_once
        self._reads.most = self._commands.most = at_once - at_once // SHARE
        self.waiting.most = at_once * WAITING

    @property
    def in_flight(self) -> int:
        """How many requests are worked on: neither those that wait, nor streams, nor health."""
        return self._all_work.taken

    @property
    def commands(self) -> int:
        """How many commands should be under way at this moment, with those that merely wait.

        Never none: whoever is told so would not ask again.
        """
        left_by_reads = self._all_work.most - self._reads.taken
        at_work = min(int(self._pace.at_once), self._commands.most, left_by_reads)
        return max(1, at_work + self.waiting_commands)

    def worked(self, kind: Kind, took_s: float) -> None:
        """Learn for how long work was done for a request."""
        if kind is Kind.COMMAND:
            self._pace.note(took_s, self._commands.most)

    def enter(self, kind: Kind) -> "Place | None":
        """Return a place to use in a `with`, None where this kind has none left."""
        bounds = self._work[kind]
        for number, bound in enumerate(bounds):
            if not bound.take():
                for taken in bounds[:number]:
                    taken.give_back()
                return None
        return Place(self, bounds, kind)


class Place:
    """What one request has taken: `current` in the block, and given back at its end."""

    __slots__ = ("_began", "_kind", "_places", "_requests_of", "_streams_of", "_token", "_work")

    def __init__(self, places: Places, work: tuple[_Bound, ...], kind: Kind) -> None:
        self._places = places
        self._work = work
        self._kind = kind
        self._began = places.clock()
        self._requests_of: Identity | None = None
        self._streams_of: Identity | None = None
        self._token: Token[Place | None] | None = None

    def __enter__(self) -> None:
        self._token = _current.set(self)

    def __exit__(self, *_: object) -> None:
        assert self._token is not None
        _current.reset(self._token)
        self._stop_working()
        self._forget_request()
        if self._streams_of is not None:
            self._places.streams.give_back()
            self._places.streams_of.give_back(self._streams_of)

    def belong_to(self, identity: Identity) -> None:
        """Count the request as this subject's; raises `Refused` (429) where it has too many."""
        most = self._places.requests_of.take(identity)
        if most is not None:
            raise Refused(problem(TOO_MANY_AT_ONCE.filled(most=most)))
        self._requests_of = identity

    @contextmanager
    def waiting(self) -> Iterator[bool]:
        """Give the place to others while the block waits; False where too many wait already."""
        if not self._places.waiting.take():
            yield False
            return
        self._stop_working()
        is_command = self._kind is Kind.COMMAND
        self._places.waiting_commands += is_command
        try:
            yield True
        finally:
            self._places.waiting_commands -= is_command
            self._places.waiting.give_back()

    def become_stream(self, identity: Identity) -> None:
        """Wait for events from now on; raises `Refused`, 429 for one subject's, 503 for all."""
        most = self._places.streams_of.take(identity)
        if most is not None:
            raise Refused(problem(TOO_MANY_STREAMS.filled(most=most)))
        if not self._places.streams.take():
            self._places.streams_of.give_back(identity)
            raise Refused(problem(OVERLOADED))
        self._streams_of = identity
        self._stop_working()
        self._forget_request()

    def _stop_working(self) -> None:
        if self._work:
            self._places.worked(self._kind, self._places.clock() - self._began)
        for bound in self._work:
            bound.give_back()
        self._work = ()

    def _forget_request(self) -> None:
        if self._requests_of is not None:
            self._places.requests_of.give_back(self._requests_of)
            self._requests_of = None


_current: ContextVar[Place | None] = ContextVar("place", default=None)


def current() -> Place | None:
    """Return the place of the request that is being served, None outside of any."""
    return _current.get()


@contextmanager
def waiting() -> Iterator[bool]:
    """Give the current request's place to others while the block waits; see `Place.waiting`."""
    place = current()
    if place is None:
        yield True
        return
    with place.waiting() as may_wait:
        yield may_wait
