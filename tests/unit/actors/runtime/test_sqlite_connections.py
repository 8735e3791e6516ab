"""A commit on a slow disk: the event loop goes on, and nobody comes in between."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, bindparam, insert, select, update

from actors.runtime import sqlite_connections
from actors.runtime.batching import QUICK_S
from actors.runtime.database import Database
from actors.runtime.sqlite_connections import MEASURE_EVERY
from actors.runtime.statements import Transaction

metadata = MetaData()
counter = Table("counter", metadata, Column("count", Integer, nullable=False))


class Counter:
    """A number in a database whose commits are slow."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite+aiosqlite:///{folder}/counter.db", metadata)
        self.begun = asyncio.Event()
        self._count = self.database.prepare(select(counter.c["count"]))
        self._add = self.database.prepare(
            update(counter).values(count=counter.c["count"] + bindparam("by"))
        )

    async def create(self) -> None:
        await self.database.create_tables()
        async with self.database.write() as connection:
            await connection.execute(insert(counter), {"count": 0})
        self.database.pace.take(2)
        for _ in range(9):
            self.database.pace.note(QUICK_S * 2)

    def add(self, transaction: Transaction) -> int:
        transaction.change(self._add, [{"by": 1}])
        self.begun.set()
        return int(transaction.all(self._count, {})[0][0])

    async def count(self) -> int:
        return int((await self.database.fetch(self._count, {}))[0][0])


@pytest.fixture
async def slow(tmp_path: Path) -> Counter:
    slow = Counter(tmp_path)
    await slow.create()
    return slow


async def test_transactions_follow_one_another_while_the_loop_goes_on(slow: Counter) -> None:
    assert slow.database.pace.holds_others_up
    first, second = (asyncio.ensure_future(slow.database.transact(slow.add)) for _ in range(2))
    assert sorted([await first, await second]) == [1, 2]
    assert await slow.count() == 2
    await slow.database.close()


async def test_what_fails_is_rolled_back_and_the_next_one_works(slow: Counter) -> None:
    def failing(transaction: Transaction) -> None:
        slow.add(transaction)
        raise RuntimeError("told to fail")

    with pytest.raises(RuntimeError):
        await slow.database.transact(failing)
    assert await slow.database.transact(slow.add) == 1
    await slow.database.close()


async def test_who_gives_up_ends_only_after_the_commit(slow: Counter) -> None:
    given_up = asyncio.ensure_future(slow.database.transact(slow.add))
    await slow.begun.wait()
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert await slow.count() == 1, "it was on its way"
    await slow.database.close()


async def test_a_commit_does_not_wait_for_what_blocks_other_threads(slow: Counter) -> None:
    done = threading.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    blocking = loop.run_in_executor(None, done.wait)
    adding = asyncio.ensure_future(slow.database.transact(slow.add))
    try:
        assert (await asyncio.wait({adding}, timeout=30))[0]
    finally:
        done.set()
        await blocking
    await slow.database.close()


async def test_a_disk_that_is_quick_again_is_seen_to_be_although_threads_wait_for_the_loop(
    slow: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def perf_counter() -> float:
        nonlocal now
        alone = threading.current_thread() is threading.main_thread()
        now += QUICK_S / 10 if alone else QUICK_S * 2
        return now

    monkeypatch.setattr(sqlite_connections, "time", SimpleNamespace(perf_counter=perf_counter))
    for _ in range(MEASURE_EVERY):
        assert slow.database.pace.holds_others_up
        await slow.database.transact(slow.add)
    assert not slow.database.pace.holds_others_up
    await slow.database.close()
