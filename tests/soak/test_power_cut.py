"""The power of real systems fails 10,000 times; and what is left starts a whole real system, too.

About 15 minutes on 2 cores.
"""

import asyncio
import shutil
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.support.outside import place
from tests.support.power.books import wrong_books
from tests.support.power.customers import one_life_then_rush_hour
from tests.support.power.cutting import (
    around_every_call_of_one_life,
    at_random,
    cut_power_side_by_side,
    during_the_first_start,
)
from tests.support.power.disk import FATES, Disk
from tests.support.power.judge import Judge
from tests.support.power.recording import Recording, record_in_process, record_system
from tests.support.system import System

SEEDS = (1, 2, 3, 4)
CUTS = 10_000
RESTARTS = 10


@pytest.fixture(scope="module", params=SEEDS)
def recording(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Recording:
    folder = tmp_path_factory.mktemp("recorded")
    return asyncio.run(record_system(folder, one_life_then_rush_hour, request.param))


def test_no_acknowledged_order_is_lost_in_10000_power_cuts(
    recording: Recording, request: pytest.FixtureRequest
) -> None:
    seed = request.node.callspec.params["recording"]
    each = around_every_call_of_one_life(recording)
    of_one_order = cut_power_side_by_side(recording, seed, each, *FATES)
    assert (of_one_order.lost, of_one_order.wrong) == ([], [])
    count = max(0, CUTS // len(SEEDS) - of_one_order.cuts)
    under_load = cut_power_side_by_side(recording, seed, at_random(recording, count, Random(seed)))
    assert (under_load.lost, under_load.wrong) == ([], [])


def test_a_first_start_that_was_cut_off_is_made_up_for(recording: Recording) -> None:
    found = cut_power_side_by_side(recording, 1, during_the_first_start(recording), *FATES)
    assert (found.lost, found.wrong) == ([], [])


def test_without_a_sync_at_each_commit_acknowledged_orders_are_lost(tmp_path: Path) -> None:
    recording = asyncio.run(record_in_process(tmp_path, one_life_then_rush_hour, 1, "NORMAL"))
    found = cut_power_side_by_side(recording, 1, at_random(recording, 500, Random(1)))
    assert found.cuts_with_losses > 100


def test_a_whole_system_starts_on_what_a_power_cut_has_left(
    recording: Recording, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    random = Random(request.node.callspec.params["recording"])
    disk, judge = Disk(recording.calls, recording.folder), Judge(recording)
    for number, moment in enumerate(at_random(recording, RESTARTS, random)):
        disk.go_to(moment)
        system = System(tmp_path / str(number))
        system.data_dir.mkdir()
        for name, content in disk.after_cut(random).items():
            (system.data_dir / name).write_bytes(content)
        try:
            system.start()
            place(system)
            asyncio.run(_as_it_was_told(system, judge, moment))
        finally:
            system.stop()
        assert wrong_books(system.data_dir) == []
        shutil.rmtree(system.data_dir)


async def _as_it_was_told(system: System, judge: Judge, moment: int) -> None:
    audit = await asyncio.to_thread(system.siren, "verify")
    assert audit.returncode == 0, audit.stdout
    assert judge.lost(system.data_dir, moment) == []
    async with httpx.AsyncClient(base_url=system.url) as http:
        assert await judge.details_differ(http, moment) == []
