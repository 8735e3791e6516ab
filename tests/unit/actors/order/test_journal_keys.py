"""A key places one order, whatever its time and whoever asks."""

import asyncio

import pytest
from msgspec.structs import replace

from actors.contracts.errors import AlreadyPlaced
from actors.order.journal import Journal
from actors.order.journal_appends import Append
from tests.support.appends import appending, rows_everywhere, versions
from tests.support.orders import DUE, PRIVATE


def placing(time: str, key: str = "9" * 24) -> Append:
    return replace(appending(f"{time:>11}{key}"), due_at=DUE, private=PRIVATE)


async def test_a_key_places_one_order_whatever_its_time(journal: Journal, another: Journal) -> None:
    first, later = placing("first"), placing("later")
    await journal.append(first)
    before = await rows_everywhere(journal)
    with pytest.raises(AlreadyPlaced) as refusal:
        await another.append(later)
    assert refusal.value.order_id == first.order_id
    assert await rows_everywhere(journal) == before
    assert await another.placed_as(later.order_id) == first.order_id
    await journal.append(appending(first.order_id, after=1))


async def test_of_one_key_s_orders_in_one_batch_the_first_is_placed(journal: Journal) -> None:
    appends = [placing("first"), placing("second"), placing("first", "8" * 24)]
    results = await asyncio.gather(*map(journal.append, appends), return_exceptions=True)
    assert [type(result) for result in results] == [int, AlreadyPlaced, int]
    assert await versions(journal, appends[1].order_id) == []


async def test_prewarming_reads_every_key(journal: Journal) -> None:
    keys = ["0" * 24, "0f" * 12, "7f" + "f" * 22, "80" + "0" * 22, "f" * 24]
    for key in keys:
        await journal.append(placing("first", key))
    assert await journal.prewarm_keys() == len(keys)


async def test_two_processes_place_one_order_for_a_key(journal: Journal, another: Journal) -> None:
    for number in range(10):
        key = f"{number:024}"
        results = await asyncio.gather(
            journal.append(placing("one", key)),
            another.append(placing("other", key)),
            return_exceptions=True,
        )
        assert sorted(type(result).__name__ for result in results) == ["AlreadyPlaced", "int"]
