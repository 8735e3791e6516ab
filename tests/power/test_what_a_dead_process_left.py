"""A process dies between a write and its sync; whoever reads that next must not let it get lost."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, select

from actors.runtime.database import Database
from tests.support.power.disk import Disk, read_calls
from tests.support.power.recording import environment_of, recorded

metadata = MetaData()
counter = Table("counter", metadata, Column("count", Integer, nullable=False))

DIES_BEFORE_ITS_SYNC = """
import os, sqlite3, sys

database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA journal_mode=WAL")
database.execute("CREATE TABLE counter (count INTEGER NOT NULL)")
database.execute("PRAGMA synchronous=OFF")
database.execute("INSERT INTO counter VALUES (17)")
os._exit(0)
"""


def die_before_the_sync(database: Path, logs: Path) -> None:
    command = [sys.executable, "-c", DIES_BEFORE_ITS_SYNC, str(database)]
    subprocess.run(command, env=environment_of(logs), check=True)


async def by_statement(database: Database) -> object:
    return await database.fetch(database.prepare(select(counter.c["count"])), {})


async def by_engine(database: Database) -> object:
    async with database.read() as connection:
        return await connection.scalar(select(counter.c["count"]))


async def by_transaction(database: Database) -> object:
    statement = database.prepare(select(counter.c["count"]))
    return await database.transact(lambda transaction: transaction.all(statement, {}))


@pytest.mark.parametrize("read", [by_statement, by_engine, by_transaction])
async def test_what_was_read_outlives_a_power_cut(tmp_path: Path, read: object) -> None:
    data, logs = tmp_path / "data", tmp_path / "logs"
    data.mkdir()
    with recorded(logs):
        die_before_the_sync(data / "counter.db", logs)
        database = Database(f"sqlite+aiosqlite:///{data}/counter.db", metadata)
        assert "17" in str(await read(database))  # type: ignore[operator]
        disk = Disk(read_calls(logs), str(data))
        await database.close()
    disk.go_to(sys.maxsize)
    assert disk.after_cut(Random(1), "lost") == disk.contents()
