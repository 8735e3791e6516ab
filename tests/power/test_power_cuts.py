"""The power fails: what was not synced is lost, torn or there, in any mixture. In one process.

`tests/chaos/test_power_cut.py` does it to a real system, and more often.
"""

import asyncio
from pathlib import Path
from random import Random

import pytest

from tests.support.power.customers import one_life_then_rush_hour
from tests.support.power.cutting import (
    around_every_call_of_one_life,
    at_random,
    cut_power,
    during_the_first_start,
)
from tests.support.power.recording import Recording, assert_whole, record_in_process

SEED = 16


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("recorded")
    return asyncio.run(record_in_process(folder, one_life_then_rush_hour, SEED))


def test_what_is_recorded_is_what_is_in_the_files(recording: Recording) -> None:
    assert_whole(recording)


async def test_no_acknowledged_order_is_lost_whenever_the_power_fails(
    recording: Recording,
) -> None:
    found = await cut_power(recording, SEED, at_random(recording, 100, Random(SEED)))
    assert (found.lost, found.wrong) == ([], [])
    assert found.unsynced > found.cuts / 2
    assert found.told > found.cuts


async def test_nothing_is_lost_of_one_order_around_each_of_its_writes(
    recording: Recording,
) -> None:
    moments = around_every_call_of_one_life(recording)[::3]
    found = await cut_power(recording, SEED, moments, "lost")
    assert (found.lost, found.wrong) == ([], [])


async def test_a_first_start_that_was_cut_off_is_made_up_for(recording: Recording) -> None:
    found = await cut_power(recording, SEED, during_the_first_start(recording)[::40])
    assert (found.lost, found.wrong) == ([], [])


async def test_without_a_sync_at_each_commit_acknowledged_orders_are_lost(tmp_path: Path) -> None:
    recording = await record_in_process(tmp_path, one_life_then_rush_hour, SEED, "NORMAL")
    found = await cut_power(recording, SEED, at_random(recording, 25, Random(SEED)))
    assert found.cuts_with_losses > 0
    assert found.lost
