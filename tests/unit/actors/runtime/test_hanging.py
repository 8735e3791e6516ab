"""Work that does not go on is told from work that waits for its database, or in a queue."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table

from actors.contracts.errors import Unavailable
from actors.runtime import hanging, sqlite_connections
from actors.runtime.batching import Batcher
from actors.runtime.database import Database
from actors.runtime.hanging import Moving, ended, first, trouble_with
from actors.runtime.statements import Transaction
from tests.support.clock import TurnedClock
from tests.support.waiting import until

metadata = MetaData()
Table("numbers", metadata, Column("n", Integer))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/numbers.db", metadata)
    await database.create_tables()
    yield database
    await database.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hanging, "PATIENCE_S", 0.05)


async def never(_batch: list[Any]) -> list[Any]:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.usefixtures("impatient")
async def test_a_batch_that_never_comes_back_is_told(database: Database) -> None:
    batcher: Batcher[int, int] = Batcher(never)
    assert trouble_with(database, batcher) is None
    waiting = asyncio.create_task(batcher.submit(1))
    await until(lambda: trouble_with(database, batcher) is not None)
    assert "a batch" in (trouble_with(database, batcher) or "")
    waiting.cancel()


@pytest.mark.usefixtures("impatient")
async def test_so_is_one_whose_task_has_died(database: Database) -> None:
    async def echo(batch: list[int]) -> list[int]:
        return batch

    batcher: Batcher[int, int] = Batcher(echo)
    waiting = asyncio.create_task(batcher.submit(1))
    await asyncio.sleep(0)
    assert batcher._running is not None
    batcher._running.cancel()
    await until(lambda: trouble_with(database, batcher) is not None)
    waiting.cancel()


@pytest.mark.usefixtures("impatient")
async def test_a_queue_that_moves_is_no_trouble_however_long_it_is(database: Database) -> None:
    async def slowly(batch: list[int]) -> list[int]:
        await asyncio.sleep(0.02)
        return batch

    batcher: Batcher[int, int] = Batcher(slowly, limit=1)
    last = asyncio.gather(*(batcher.submit(n) for n in range(20)))
    troubles = []
    while not last.done():
        troubles.append(trouble_with(database, batcher))
        await asyncio.sleep(0.005)
    assert set(troubles) == {None}
    assert batcher.took_s > 0.05


@pytest.mark.usefixtures("impatient")
async def test_a_batch_that_waits_for_a_locked_database_is_no_trouble_and_the_loop_goes_on(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.runtime.waits.SLOW_S", 0.01)

    def nothing(_transaction: Transaction) -> None:
        pass

    async def commit(batch: list[int]) -> list[int]:
        await database.transact(nothing)
        return batch

    await database.transact(nothing)  # its file is open
    batcher: Batcher[int, int] = Batcher(commit)
    with closing(sqlite3.connect(tmp_path / "numbers.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(batcher.submit(1))
        await until(lambda: batcher.away_s > 0.2)  # the loop turns
        assert trouble_with(database, batcher) is None
        other.execute("ROLLBACK")
        assert await waiting == 1


async def test_a_lock_that_is_never_let_go_of_is_unavailable_in_the_end(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_connections, "BUSY_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(tmp_path / "numbers.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"):
            await database.transact(lambda _: None)
    await database.transact(lambda _: None)


async def test_a_statement_that_never_comes_back_is_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database.waits, "_is_at_work", lambda: False)
    clock = TurnedClock()
    monkeypatch.setattr(database.waits, "clock", clock)
    async with database.read():
        clock.now += 6
        assert trouble_with(database) is None
        clock.now += 6
        assert "has not come back" in (trouble_with(database) or "")


async def test_a_task_that_should_go_on_for_ever_and_has_ended_is_named() -> None:
    async def over() -> None:
        pass

    tasks = {"one": asyncio.create_task(asyncio.sleep(60)), "other": asyncio.create_task(over())}
    assert ended(tasks) is None
    await tasks["other"]
    assert (ended(tasks) or "").endswith(": other")
    tasks["one"].cancel()


def test_what_changes_moves_and_what_does_not_has_stood_still_since_it_was_seen_first() -> None:
    clock = TurnedClock()
    moving = Moving(clock)
    assert moving.still_s(1) == 0
    clock.now += 5
    assert moving.still_s(1) == 5
    assert moving.still_s(2) == 0


def test_the_first_trouble_counts() -> None:
    assert first([None, "a", "b"]) == "a"
    assert first([None]) is None
