"""The numbers that are called, and the day on which they restart."""

from datetime import UTC, datetime

import pytest

from actors.store.pickup_numbers import local_day, pickup_number

LAST_OF_Z = 26 * 999


@pytest.mark.parametrize(
    ("n", "number"),
    [
        (1, "A-001"),
        (42, "A-042"),
        (999, "A-999"),
        (1000, "B-001"),
        (LAST_OF_Z, "Z-999"),
        (LAST_OF_Z + 1, "AA-001"),
        (LAST_OF_Z + 999, "AA-999"),
        (LAST_OF_Z + 1000, "AB-001"),
        (LAST_OF_Z + LAST_OF_Z, "AZ-999"),
        (LAST_OF_Z + LAST_OF_Z + 1, "BA-001"),
        ((26 + 26 * 26) * 999, "ZZ-999"),
        ((26 + 26 * 26) * 999 + 1, "AAA-001"),
    ],
)
def test_the_sequence_at_its_boundaries(n: int, number: str) -> None:
    assert pickup_number(n) == number


def test_no_number_is_given_twice() -> None:
    count = 2 * LAST_OF_Z
    assert len({pickup_number(n) for n in range(1, count + 1)}) == count


def test_there_is_no_number_before_the_first() -> None:
    with pytest.raises(ValueError, match="from 1"):
        pickup_number(0)


@pytest.mark.parametrize(
    ("utc", "day"),
    [
        (datetime(2026, 3, 1, 14, 59, 59, tzinfo=UTC), "2026-03-01"),
        (datetime(2026, 3, 1, 15, 0, 0, tzinfo=UTC), "2026-03-02"),  # midnight in Seoul
        (datetime(2026, 3, 2, 0, 0, 0, tzinfo=UTC), "2026-03-02"),  # midnight in UTC is nothing
    ],
)
def test_a_day_begins_at_midnight_of_the_store(utc: datetime, day: str) -> None:
    assert local_day(utc, "Asia/Seoul") == day


def test_stores_in_different_time_zones_have_different_days() -> None:
    at = datetime(2026, 3, 1, 20, tzinfo=UTC)
    assert local_day(at, "Asia/Seoul") != local_day(at, "America/New_York")
