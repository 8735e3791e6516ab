"""What keeps a host's orders from going on: counted here, noted in the journal while it lasts.

Nothing is written for an order that goes on. A failure is noted once it has lasted for a while, or
at once where it is not expected to pass; and at most so many of them a second, however many orders
fail.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from actors.contracts.errors import SirenError, Unavailable, may_pass
from actors.order.domain.failure import Failure
from actors.order.journal_failures import JournalFailures
from actors.runtime.circuit import CIRCUIT_OPEN
from actors.runtime.clock import Clock
from actors.runtime.retrying import log_surprise

LASTING = timedelta(seconds=10)
"""What may pass is noted once it has lasted for so long."""
AGAIN = timedelta(seconds=60)
"""How often the count of tries in the journal follows."""
WRITE_S = 2.0
AT_ONCE = 200
"""Most failures noted in one write: 100 a second."""
LONGEST_CODE, LONGEST_CAUSE = 64, 300

Key = tuple[str, str]


def cause_of(error: BaseException) -> tuple[str, str]:
    """Return the code and the cause of a failure; no text that may quote what somebody sent."""
    if isinstance(error, SirenError):
        line = error.detail.partition("\n")[0].replace("\0", "")
        return error.code[:LONGEST_CODE], line[:LONGEST_CAUSE]
    name = type(error).__name__
    return "unexpected", f"a fault of Siren Order's own ({name}); the log of its host has the trace"


@dataclass(slots=True)
class _Failing:
    since: datetime
    last_at: datetime
    code: str
    cause: str
    set_aside: bool
    tries: int = 0
    untold: int = 0
    noted_at: datetime | None = None


class Failures:
    """The failures of one process. `of` and `note` take no time worth mentioning."""

    def __init__(self, journal: JournalFailures, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._failing: dict[str, dict[str, _Failing]] = {}
        # In order of their beginning, so that the first one that is too young ends a look.
        self._aside: dict[Key, None] = {}
        self._lasting: dict[Key, None] = {}
        self._ended: dict[Key, None] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, order_id: str, work: str, error: BaseException) -> None:
        """Count a failure. What it says of its cause replaces what an earlier one said."""
        now, (code, cause) = self._clock(), cause_of(error)
        set_aside = not may_pass(error)
        works = self._failing.setdefault(order_id, {})
        failing = works.get(work)
        if failing is None:
            failing = works[work] = _Failing(now, now, code, cause, set_aside)
        failing.last_at, failing.set_aside = now, set_aside
        failing.code, failing.cause = code, cause
        if code != CIRCUIT_OPEN or not isinstance(error, Unavailable):  # it was not even asked
            failing.tries += 1
            failing.untold += 1
        if failing.noted_at is None or now - failing.noted_at >= AGAIN:
            (self._aside if set_aside else self._lasting)[order_id, work] = None
            self._write_soon()

    def any_of(self, order_id: str) -> bool:
        """Whether an order fails at anything; for whoever succeeds, and seldom has failed."""
        return order_id in self._failing

    def ended(self, order_id: str, work: str) -> None:
        """Forget a failure, if there was one: it is done, or not needed any more."""
        works = self._failing.get(order_id)
        failing = works.pop(work, None) if works is not None else None
        if failing is None:
            return
        if not works:
            del self._failing[order_id]
        for queue in (self._aside, self._lasting):
            queue.pop((order_id, work), None)
        if failing.noted_at is not None:
            self._ended[order_id, work] = None
            self._write_soon()

    def of(self, order_id: str) -> list[Failure]:
        """Return what an order fails at."""
        works = self._failing.get(order_id, {})
        return [_told(order_id, work, failing) for work, failing in works.items()]

    def _write_soon(self) -> None:
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._aside or self._lasting or self._ended:
            await asyncio.sleep(WRITE_S)
            now = self._clock()
            keys = [key for _, key in zip(range(AT_ONCE), self._due(now), strict=False)]
            ended = list(self._ended)[:AT_ONCE]
            told = {key: self._failing[key[0]][key[1]] for key in keys}
            counted = {key: failing.untold for key, failing in told.items()}
            failures = [_told(*key, each, each.untold) for key, each in told.items()]
            try:
                await self._journal.write(failures, ended, now)
            except Unavailable:
                continue  # it is away itself
            except Exception as error:  # noqa: BLE001 - told; it must not keep others from being noted
                log_surprise(error)
            for key, failing in told.items():
                failing.noted_at = now
                failing.untold -= counted[key]
                self._aside.pop(key, None)
                self._lasting.pop(key, None)
                if key[1] not in self._failing.get(key[0], {}):  # over, meanwhile
                    self._ended[key] = None
            for key in ended:
                self._ended.pop(key, None)
        self._writing = None

    def _due(self, now: datetime) -> Iterator[Key]:
        yield from self._aside
        for order_id, work in self._lasting:
            lasts = now - self._failing[order_id][work].since
            if timedelta(0) <= lasts < LASTING:  # below: the clock was set back
                return
            if (order_id, work) not in self._aside:
                yield order_id, work


def _told(order_id: str, work: str, failing: _Failing, tries: int | None = None) -> Failure:
    return Failure(
        order_id,
        work,
        failing.tries if tries is None else tries,
        failing.since,
        failing.last_at,
        failing.code,
        failing.cause,
        failing.set_aside,
    )
