"""What gathers while a batch is on its way travels in the next one; nobody spoils the others."""

import asyncio

import pytest

from actors.contracts.errors import Conflict, Unavailable
from actors.runtime.batching import LARGEST_BATCH, MOST, QUICK_S, Batcher, Pace


class Flushes:
    """Records batches and holds the first one back until it is released."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.started = asyncio.Event()
        self.release = asyncio.Event()

    async def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        self.started.set()
        await self.release.wait()
        return [item * 10 for item in items]


async def test_an_item_alone_is_not_kept_waiting_for_company() -> None:
    flushes = Flushes()
    flushes.release.set()
    batcher = Batcher(flushes)
    assert await batcher.submit(1) == 10
    assert flushes.batches == [[1]]


async def test_what_comes_during_a_flush_travels_together_in_the_next_one() -> None:
    flushes = Flushes()
    batcher = Batcher(flushes)
    first = asyncio.ensure_future(batcher.submit(1))
    await flushes.started.wait()
    others = asyncio.gather(*(batcher.submit(n) for n in range(2, 6)))
    await asyncio.sleep(0)  # one turn of the loop: all of them are submitted
    assert flushes.batches == [[1]], "one flush at a time"
    flushes.release.set()
    assert await first == 10
    assert await others == [20, 30, 40, 50]
    assert flushes.batches == [[1], [2, 3, 4, 5]]


async def test_a_batch_is_never_longer_than_its_limit() -> None:
    flushes = Flushes()
    flushes.release.set()
    batcher = Batcher(flushes, limit=3)
    assert await asyncio.gather(*(batcher.submit(n) for n in range(7))) == [*range(0, 70, 10)]
    assert [len(batch) for batch in flushes.batches] == [3, 3, 1]


async def test_each_item_gets_its_own_result_or_its_own_error() -> None:
    async def flush(items: list[int]) -> list[int | Conflict]:
        return [Conflict("odd", "") if item % 2 else item for item in items]

    batcher = Batcher(flush)
    results = await asyncio.gather(*(batcher.submit(n) for n in range(3)), return_exceptions=True)
    assert results[0] == 0
    assert isinstance(results[1], Conflict)
    assert results[2] == 2


async def test_one_bad_item_does_not_spoil_its_batch() -> None:
    async def flush(items: list[int]) -> list[int]:
        return [100 // item for item in items]

    batcher = Batcher(flush)
    results = await asyncio.gather(*(batcher.submit(n) for n in (1, 0, 2)), return_exceptions=True)
    assert (results[0], results[2]) == (100, 50)
    assert isinstance(results[1], ZeroDivisionError)


async def test_a_database_that_is_away_is_waited_for_once_and_not_once_for_each_item() -> None:
    flushed: list[list[int]] = []

    async def flush(items: list[int]) -> list[int]:
        flushed.append(items)
        raise Unavailable("database_unavailable", "")

    batcher = Batcher(flush)
    results = await asyncio.gather(*(batcher.submit(n) for n in range(4)), return_exceptions=True)
    assert all(isinstance(result, Unavailable) for result in results)
    assert flushed == [[0, 1, 2, 3]]


async def test_work_goes_on_after_a_failure() -> None:
    failing = True

    async def flush(items: list[int]) -> list[int]:
        if failing:
            raise Unavailable("database_unavailable", "")
        return items

    batcher = Batcher(flush)
    with pytest.raises(Unavailable):
        await batcher.submit(1)
    failing = False
    assert await batcher.submit(2) == 2


async def test_somebody_who_gives_up_waiting_does_not_disturb_the_others() -> None:
    flushes = Flushes()
    batcher = Batcher(flushes)
    impatient = asyncio.ensure_future(batcher.submit(1))
    patient = asyncio.ensure_future(batcher.submit(2))
    await flushes.started.wait()
    impatient.cancel()
    flushes.release.set()
    assert await patient == 20
    with pytest.raises(asyncio.CancelledError):
        await impatient


# --- how many belong into a batch ---------------------------------------------------------------


def paced(*commits: float) -> Pace:
    pace = Pace()
    for seconds in commits:
        pace.note(seconds)
    return pace


def test_quick_commits_leave_batches_small() -> None:
    assert paced().largest == LARGEST_BATCH
    assert paced(*[QUICK_S / 10] * 9).largest == LARGEST_BATCH


def test_batches_grow_as_commits_take_longer() -> None:
    slow = paced(*[QUICK_S * 3] * 9)
    assert slow.largest == LARGEST_BATCH * 3


@pytest.mark.parametrize(
    ("commit_s", "waiting", "held_up"),
    [
        (QUICK_S * 3, 2, True),
        (QUICK_S * 3, 1, False),
        (QUICK_S / 3, 24, False),
    ],
)
def test_others_are_held_up_where_there_are_some_and_commits_take_long(
    commit_s: float,
    waiting: int,
    held_up: bool,  # noqa: FBT001 - pytest hands it over by its name
) -> None:
    pace = paced(*[commit_s] * 9)
    assert not pace.holds_others_up
    pace.take(waiting)
    assert pace.holds_others_up is held_up
    for _ in range(9):
        pace.take(1)
    assert not pace.holds_others_up


def test_a_single_slow_commit_among_quick_ones_changes_nothing() -> None:
    assert paced(0.0003, 0.0003, 0.5, 0.0003).largest == LARGEST_BATCH


def test_batches_shrink_as_soon_as_a_commit_is_quick_again() -> None:
    assert paced(*[0.008] * 9, 0.0003).largest == LARGEST_BATCH


def test_no_batch_is_without_end() -> None:
    assert paced(*[60.0] * 9).largest == MOST


async def test_a_batch_is_as_long_as_its_commits_allow_now() -> None:
    pace, batches = Pace(), list[int]()

    async def flush(items: list[int]) -> list[int]:
        batches.append(len(items))
        pace.note(QUICK_S * 2)
        return items

    batcher = Batcher(flush, pace=pace)
    count = LARGEST_BATCH * 7
    await asyncio.gather(*(batcher.submit(n) for n in range(count)))
    assert batches == [LARGEST_BATCH] * 4 + [LARGEST_BATCH * 2, LARGEST_BATCH]
