"""An order's life as it is told: by whom, how long, how often, and what it waits for."""

from datetime import timedelta

from actors.order.domain import events as ev
from actors.order.domain.failure import LOAD, Failure
from actors.order.domain.story import STUCK_AFTER, Story, tell
from tests.support.orders import (
    ACCEPTED_LIFE,
    CANCELED_LIFE,
    DUE,
    ORDER_ID,
    PICKED_UP_LIFE,
    PLACED,
    REQUESTED,
    at,
    history,
    stored,
)

SOON = timedelta(seconds=1)


def told(*life: ev.Event, failures: tuple[Failure, ...] = (), after: timedelta = SOON) -> Story:
    return tell(ORDER_ID, history(*life), failures, at(len(life)) + after)


def failing(work: str, *, aside: bool = False, ended: bool = False) -> Failure:
    over = at(5) if ended else None
    cause = ("provider_timeout", "no answer in time")
    return Failure(ORDER_ID, work, 4, at(2), at(4), *cause, set_aside=aside, ended_at=over)


def test_each_event_is_told_with_who_caused_it() -> None:
    by = [happening.by for happening in told(*PICKED_UP_LIFE).happened]
    assert by == ["customer", "customer", "payment", "store", "barista", "barista", "barista"]


def test_the_outcome_of_a_step_tells_how_long_it_took_and_how_often_it_was_tried() -> None:
    failures = (failing("AuthorizePayment 1", ended=True),)
    story = told(*ACCEPTED_LIFE, failures=failures)
    took = [(each.type, each.took_s, each.tries) for each in story.happened if each.took_s]
    assert took == [("PaymentApproved", 1.0, 5), ("PickupStarted", 1.0, 1)]


def test_a_cancellation_tells_of_whoever_cancelled_and_of_what_was_undone() -> None:
    story = told(*CANCELED_LIFE)
    assert [each.by for each in story.happened[-3:]] == ["customer", "store", "payment"]
    assert story.waits == ()


def test_an_order_that_nobody_paid_waits_for_its_customer_until_its_deadline() -> None:
    (wait,) = told(PLACED).waits
    assert (wait.what, wait.began_at, wait.until, wait.stuck) == ("CustomerPays", at(1), DUE, False)


def test_a_step_that_fails_tells_its_cause_and_one_without_progress_is_stuck() -> None:
    (wait,) = told(PLACED, REQUESTED, failures=(failing("AuthorizePayment 1"),)).waits
    assert (wait.what, wait.tries, wait.code) == ("AuthorizePayment 1", 4, "provider_timeout")
    assert not wait.stuck
    (later,) = told(PLACED, REQUESTED, after=STUCK_AFTER).waits
    assert later.stuck
    assert later.cause is None


def test_a_failure_of_an_earlier_attempt_is_not_told_of_a_later_one() -> None:
    (wait,) = told(PLACED, REQUESTED, failures=(failing("AuthorizePayment 7"),)).waits
    assert wait.cause is None


def test_a_story_ends_where_an_event_does_not_fit() -> None:
    life = [*history(PLACED, REQUESTED), stored(REQUESTED, 9)]
    story = tell(ORDER_ID, life, (failing(LOAD, aside=True),), at(3))
    assert story.version == 2
    assert story.untold is not None
    assert [wait.what for wait in story.waits] == [LOAD]


def test_nothing_that_only_the_journal_needs_is_told() -> None:
    assert "body_hash" not in told(PLACED).happened[0].data
