"""The numbers that are called at the counter, and the day of a store on which they restart.

No two tickets that stand on a store's board have the same number, and none is given twice on one
day, whatever the clock is set to.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Self
from zoneinfo import ZoneInfo

import msgspec

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


def place_of(number: str) -> int:
    """Return which number of a day this is: the inverse of `pickup_number`."""
    letters, _, within = number.partition("-")
    series = 0
    for letter in letters:
        series = series * len(LETTERS) + LETTERS.index(letter) + 1
    return (series - 1) * PER_SERIES + int(within)


class Numbering(msgspec.Struct, frozen=True):
    """What a store's numbers of `day` must pass over.

    `taken`: first and last place of numbers in a row that stood on the board when the day began,
    given on other days; in order. `newest`: the last day on which any were given.
    """

    day: str
    newest: str
    taken: list[tuple[int, int]] = []

    @classmethod
    def of(cls, day: str, newest: str, standing: Iterable[str]) -> Self:
        """Return the numbering of a day on whose board these numbers of other days stand."""
        taken: list[tuple[int, int]] = []
        for place in sorted({place_of(number) for number in standing}):
            if taken and place == taken[-1][1] + 1:
                taken[-1] = (taken[-1][0], place)
            else:
                taken.append((place, place))
        return cls(day, max(day, newest), taken)

    def after(self, last: int) -> int:
        """Return the place of the number that follows the `last` one that was given."""
        place = last + 1
        for first, end in self.taken:
            if first <= place <= end:
                place = end + 1
        return place


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
