"""What keeps orders from going on is noted in the journal, seldom, and only while it lasts."""

from datetime import UTC, datetime, timedelta

import pytest

from actors.contracts.errors import Damaged, Invalid, Unavailable
from actors.order import failures as failures_module
from actors.order.domain.failure import VIEW, Failure
from actors.order.failures import Failures
from actors.order.journal import Journal
from tests.support.waiting import until

STEP = "AuthorizePayment 1"
AWAY = Unavailable("provider_timeout", "The payment provider did not answer in time.")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def failures(journal: Journal, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Failures:
    monkeypatch.setattr(failures_module, "WRITE_S", 0.0)
    return Failures(journal.failures, clock)


async def written(failures: Failures) -> None:
    await until(lambda: failures._writing is None)


async def test_what_passes_at_once_is_never_written(
    failures: Failures, journal: Journal, clock: Clock
) -> None:
    failures.note("o", STEP, AWAY)
    clock.later(1)
    failures.ended("o", STEP)
    await written(failures)
    assert await journal.failures.of_order("o") == []


async def test_what_lasts_is_noted_with_its_tries_its_beginning_and_its_last_cause(
    failures: Failures, journal: Journal, clock: Clock
) -> None:
    began = clock.now
    for _ in range(3):
        failures.note("o", STEP, AWAY)
        clock.later(6)
    await written(failures)
    (noted,) = await journal.failures.of_order("o")
    assert (noted.tries, noted.since, noted.code) == (3, began, "provider_timeout")
    assert not noted.set_aside
    failures.ended("o", STEP)
    await written(failures)
    (ended,) = await journal.failures.of_order("o")
    assert ended.ended_at == clock.now


@pytest.mark.parametrize(
    "error",
    [
        KeyError("tok_secret"),
        Invalid("bad_amount", "It cannot be charged."),
        Damaged("database_damaged", "a row cannot be read"),
        Unavailable("internal_error", "The service failed; ask again."),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_is_not_expected_to_pass_is_noted_at_once_and_quotes_nothing(
    failures: Failures, journal: Journal, error: Exception
) -> None:
    failures.note("o", STEP, error)
    await written(failures)
    (noted,) = await journal.failures.of_order("o")
    assert noted.set_aside
    assert "tok_secret" not in noted.cause


async def test_tries_add_up_over_restarts_and_begin_anew_once_it_had_ended(
    failures: Failures, journal: Journal, clock: Clock
) -> None:
    failures.note("o", STEP, KeyError())
    await written(failures)
    began = clock.now
    clock.later(100)
    restarted = Failures(journal.failures, clock)
    restarted.note("o", STEP, KeyError())
    await written(restarted)
    (noted,) = await journal.failures.of_order("o")
    assert (noted.tries, noted.since) == (2, began)
    restarted.ended("o", STEP)
    await written(restarted)
    clock.later(100)
    restarted.note("o", STEP, KeyError())
    await written(restarted)
    (again,) = await journal.failures.of_order("o")
    assert (again.tries, again.since, again.ended_at) == (1, clock.now, None)


async def test_many_orders_that_fail_are_written_a_few_at_a_time(
    failures: Failures, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, sizes = journal.failures.write, []

    async def counted(noted: list[Failure], ended: list[tuple[str, str]], at: datetime) -> None:
        sizes.append(len(noted))
        await write(noted, ended, at)

    monkeypatch.setattr(journal.failures, "write", counted)
    for number in range(500):
        failures.note(f"o-{number}", STEP, KeyError())
        failures.note(f"o-{number}", STEP, KeyError())
    await written(failures)
    assert sizes == [200, 200, 100]


async def test_a_journal_that_is_away_is_tried_again(
    failures: Failures, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, refusals = journal.failures.write, [Unavailable("database_unavailable", "away")]

    async def away_once(*asked: object) -> None:
        if refusals:
            raise refusals.pop()
        await write(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(journal.failures, "write", away_once)
    failures.note("o", STEP, KeyError())
    await written(failures)
    assert len(await journal.failures.of_order("o")) == 1


async def test_an_order_that_is_set_aside_counts_as_overdue_once(
    journal: Journal, clock: Clock
) -> None:
    aside = Failure("o", VIEW, 1, clock.now, clock.now, "not_foldable", "words", set_aside=True)
    assert await journal.failures.count_overdue(clock.now) == 0
    await journal.failures.write([aside], (), clock.now)
    assert await journal.failures.count_overdue(clock.now) == 1
    count, (overdue,) = await journal.failures.overdue(clock.now)
    assert (count, overdue.order_id, overdue.failures) == (1, "o", (aside,))
