"""Files of real systems come to harm: a torn log is taken up, damage is told and refused.

About 5 minutes on 2 cores.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cluster.running.lost_logs import log_of
from tests.support.damage import empty_log, zero_leaf
from tests.support.outside import accepted, assert_agreed, reaches
from tests.support.system import System

PAGE = 4096
TABLES = {
    "journal": "events",
    "payments": "payments",
    "provider": "charges",
    "stores": "tickets",
}
"""A table of each database that is not derived from others."""
DATABASES = (*TABLES, "readmodel")


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[tuple[System, list[str]]]:
    """A system that was killed at rest, and its orders: of each database the end is in its log."""
    system = System(tmp_path / "data")
    system.start()
    orders = [accepted(system) for _ in range(12)]
    system.kill_everything()
    yield system, orders
    system.stop()


def test_a_torn_end_of_every_log_loses_nothing_that_was_synced(
    killed: tuple[System, list[str]],
) -> None:
    system, orders = killed
    for database in DATABASES:
        log = log_of(system.data_dir / f"{database}.db")
        torn = log.read_bytes()[-PAGE:]
        with log.open("ab") as file:  # half of one more commit
            file.write(torn[: PAGE // 2])
    system.start()
    for order_id in orders:
        assert_agreed(system, order_id)
    assert accepted(system)
    assert system.siren("verify").returncode == 0


def test_a_journal_whose_last_commit_is_scrambled_has_all_before_it(
    killed: tuple[System, list[str]],
) -> None:
    system, orders = killed
    log = log_of(system.data_dir / "journal.db")
    whole = log.read_bytes()
    log.write_bytes(whole[: -PAGE // 2] + os.urandom(PAGE // 2))
    system.start()
    for order_id in orders[:-1]:
        assert_agreed(system, order_id)
    assert accepted(system)


def test_a_damaged_page_of_any_database_is_refused_at_the_start_and_told_by_verify(
    killed: tuple[System, list[str]],
) -> None:
    system, orders = killed
    kept = {name: system.data_dir / f"{name}.db" for name in TABLES}
    for database, table in TABLES.items():
        empty_log(kept[database]).close()
        whole = kept[database].read_bytes()
        zero_leaf(kept[database], table)
        harmed = kept[database].read_bytes()
        refused = system.siren("up")
        assert refused.returncode == 1, refused.stdout
        assert f"{database}.db is damaged: " in refused.stderr.replace("\n", "")
        assert kept[database].read_bytes() == harmed
        audit = system.siren("verify")
        assert audit.returncode == 1
        assert f"{database}.db, " in audit.stdout
        kept[database].write_bytes(whole)
    zero_leaf(system.data_dir / "readmodel.db", "order_detail")
    system.start()
    for order_id in orders:
        reaches(system, order_id, "ACCEPTED")
        assert_agreed(system, order_id)
    assert system.siren("verify").returncode == 0


@pytest.mark.parametrize("database", TABLES)
def test_a_page_that_is_damaged_while_it_is_up_is_told_and_refused_at_the_next_start(
    database: str, tmp_path: Path
) -> None:
    system = System(tmp_path / "data")
    system.start()
    try:
        orders = [accepted(system) for _ in range(12)]
        zero_leaf(system.data_dir / f"{database}.db", TABLES[database])
        audit = system.siren("verify")
        assert audit.returncode == 1
        assert f"{database}.db, " in audit.stdout
        for order_id in orders:
            assert system.http.get(f"/order-details/{order_id}").status_code == httpx.codes.OK
        system.kill_everything()
        refused = system.siren("up")
        assert refused.returncode == 1
        assert f"{database}.db is damaged: " in refused.stderr.replace("\n", "")
    finally:
        system.stop()
