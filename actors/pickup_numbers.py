"""The numbers that are called at the counter, and the day of a store on which they restart."""

from datetime import datetime
from zoneinfo import ZoneInfo

PER_SERIES = 999
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def pickup_number(n: int) -> str:
    """Return the `n`-th number of a day, from 1: A-001 … A-999, B-001 … Z-999, AA-001 and on.

    Different for different `n`, without an upper limit. Raises `ValueError` below 1.
    """
    if n < 1:
        raise ValueError(f"pick-up numbers count from 1, not {n}")
    series, within = divmod(n - 1, PER_SERIES)
    return f"{_letters(series)}-{within + 1:03}"


def local_day(at: datetime, time_zone: str) -> str:
    """Return the ISO date that an aware `at` falls on in an IANA time zone."""
    return at.astimezone(ZoneInfo(time_zone)).date().isoformat()


def _letters(series: int) -> str:
    """Return A … Z, AA … AZ, BA … for 0, 1, 2 …: like the columns of a spreadsheet."""
    letters = ""
    rest = series + 1
    while rest:
        rest, letter = divmod(rest - 1, len(LETTERS))
        letters = LETTERS[letter] + letters
    return letters
