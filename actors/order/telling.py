"""Tells orders from the journal's database alone: one order's life, and which of them are stuck."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from actors.contracts.errors import Damaged, Invalid, NotFound
from actors.order.domain.failure import LOAD, VIEW, Failure
from actors.order.domain.story import STUCK_AFTER, Story, Wait, tell
from actors.order.histories import History
from actors.order.journal import Journal
from actors.order.journal_failures import Overdue
from actors.runtime.clock import utc_now

PART = 256
CANCELABLE = ("PLACED", "PAID", "ACCEPTED")
SILENT = "nobody_noted"
IN_SILENCE = "nobody has noted a failure: nothing runs, or a process is silent (`siren status`)"


@dataclass(frozen=True, slots=True)
class Stuck:
    """An order that should have gone on; `verb`: retry or cancel, with which it goes on."""

    order_id: str
    order_status: str | None
    store_id: str | None
    since: datetime
    what: str
    tries: int
    set_aside: bool
    code: str
    cause: str
    verb: str


async def story_of(journal: Journal, order_id: str, at_version: int | None = None) -> Story:
    """Return an order's life, or what it was once it had `at_version`.

    Of one whose events cannot all be read, the beginning. Raises `NotFound`, `Invalid` for a
    version that it never had, and `Unavailable`.
    """
    part = await journal.readable_part(order_id)
    if not part.events and part.untold is None:
        raise NotFound("order_not_found", "There is no order with this id.")
    failures = await journal.failures.of_order(order_id)
    confirmed = part.ticket_version is None
    if at_version is None:
        untold = part.untold
        return tell(order_id, part.events, failures, utc_now(), confirmed=confirmed, untold=untold)
    if not 1 <= at_version <= len(part.events):
        detail = f"the order has had the versions 1 to {len(part.events)}"
        raise Invalid("no_version", detail, "/at")
    then = part.events[:at_version]
    now = then[-1].at
    return tell(order_id, then, [_as_of(each, now) for each in failures if each.since <= now], now)


def _as_of(failure: Failure, now: datetime) -> Failure:
    ended = failure.ended_at
    return replace(failure, ended_at=None) if ended is not None and ended > now else failure


async def count_stuck(journal: Journal) -> int:
    """Return how many orders are stuck: a gauge. Reads open orders, and no others."""
    return await journal.failures.count_overdue(utc_now() - STUCK_AFTER)


async def stuck_orders(journal: Journal) -> tuple[int, list[Stuck]]:
    """Return how many orders are stuck, and the first `MOST` of them, the longest due first."""
    now = utc_now()
    count, overdue = await journal.failures.overdue(now - STUCK_AFTER)
    found: list[Stuck] = []
    for start in range(0, len(overdue), PART):
        part = overdue[start : start + PART]
        histories: Sequence[History | Damaged] = await journal.load_each(
            [each.order_id for each in part]
        )
        found += [_stuck(*pair, now) for pair in zip(part, histories, strict=True)]
    return count, sorted(found, key=lambda each: each.since)


def _stuck(overdue: Overdue, history: History | Damaged, now: datetime) -> Stuck:
    if isinstance(history, Damaged):
        story = tell(overdue.order_id, (), overdue.failures, now, untold=history.detail)
    else:
        confirmed = history.ticket_version is None
        story = tell(overdue.order_id, history.events, overdue.failures, now, confirmed=confirmed)
    wait = _worst(overdue, story, now)
    status = story.order_status
    unread = story.untold is not None or wait.what in (LOAD, VIEW)
    cancels = wait.set_aside and not unread and status in CANCELABLE
    return Stuck(
        overdue.order_id,
        status,
        story.store_id,
        overdue.due_at or wait.failing_since or wait.began_at,
        wait.what,
        wait.tries,
        wait.set_aside,
        wait.code or SILENT,
        wait.cause or IN_SILENCE,
        "cancel" if cancels else "retry",
    )


def _worst(overdue: Overdue, story: Story, now: datetime) -> Wait:
    """Return what keeps an order most: that it cannot be read, or what fails, or what is due."""
    waits = sorted(story.waits, key=lambda wait: (wait.what != LOAD, wait.cause is None))
    if story.untold is not None and not (waits and waits[0].what == LOAD):
        since = overdue.due_at or now
        return Wait(LOAD, since, code="not_readable", cause=story.untold, set_aside=True)
    if waits:
        return waits[0]
    return Wait("Nothing", overdue.due_at or now)
