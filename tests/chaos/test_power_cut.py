"""The power of a real system fails 2,000 times: at every write of one order's life, and at random.

Its processes run as ever, and all that they hand to storage is recorded. What a disk may have
then is started on again.
"""

import asyncio
from random import Random

import pytest

from tests.support.power.customers import one_life_then_rush_hour
from tests.support.power.cutting import (
    around_every_call_of_one_life,
    at_random,
    cut_power_side_by_side,
)
from tests.support.power.recording import Recording, assert_whole, record_system

SEED = 2026
CUTS = 2000
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("recorded")
    return asyncio.run(record_system(folder, one_life_then_rush_hour, SEED))


def test_every_process_was_recorded(recording: Recording) -> None:
    assert_whole(recording)


def test_no_acknowledged_order_is_lost_in_2000_power_cuts(recording: Recording) -> None:
    each = around_every_call_of_one_life(recording)
    of_one_order = cut_power_side_by_side(recording, SEED, each)
    assert (of_one_order.lost, of_one_order.wrong) == ([], [])
    moments = at_random(recording, CUTS - of_one_order.cuts, Random(SEED))
    under_load = cut_power_side_by_side(recording, SEED, moments)
    assert (under_load.lost, under_load.wrong) == ([], [])
    assert of_one_order.cuts + under_load.cuts == CUTS
    assert under_load.unsynced > under_load.cuts / 2
