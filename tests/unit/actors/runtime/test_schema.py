"""Databases say which schema they have; older ones are expanded while others use them."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, inspect, select, text

from actors.contracts.errors import SirenError, Unavailable
from actors.payment.ledger import PaymentLedger
from actors.runtime import schema as schemas
from actors.runtime.database import Database
from actors.runtime.schema import Recorded, Schema, add_column, bring_up_to_date, recorded

metadata = MetaData()
cups = Table("cups", metadata, Column("id", Integer, primary_key=True), Column("size", Integer))


async def _add_size(database: Database) -> None:
    await add_column(database, cups.c.size)


FIRST = Schema("cups", version=1, oldest_code=1)
SECOND = Schema("cups", version=2, oldest_code=1, steps={2: _add_size})


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, metadata)
    yield database
    await database.close()


async def columns(database: Database) -> set[str]:
    async with database.read() as connection:
        found = await connection.run_sync(lambda sync: inspect(sync).get_columns("cups"))
    return {column["name"] for column in found}


async def make_first(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE cups (id INTEGER PRIMARY KEY)"))
        await connection.execute(text("INSERT INTO cups VALUES (1)"))


async def test_a_new_database_notes_its_schema(database: Database) -> None:
    assert await recorded(database, "cups") is None
    await bring_up_to_date(database, SECOND)
    assert await recorded(database, "cups") == Recorded(2, 1)
    assert await columns(database) == {"id", "size"}


async def test_one_from_before_schemas_were_noted_is_expanded(database: Database) -> None:
    await make_first(database)
    await bring_up_to_date(database, SECOND)
    assert await columns(database) == {"id", "size"}
    assert await recorded(database, "cups") == Recorded(2, 1)


async def test_the_earlier_version_goes_on_on_what_was_expanded_and_leaves_the_note(
    database: Database,
) -> None:
    await make_first(database)
    await bring_up_to_date(database, FIRST)
    await bring_up_to_date(database, SECOND)

    await bring_up_to_date(database, FIRST)

    async with database.write() as connection:
        await connection.execute(text("INSERT INTO cups (id) VALUES (2)"))
    assert await recorded(database, "cups") == Recorded(2, 1)


async def test_what_was_contracted_is_refused_by_older_code_before_it_does_anything(
    database: Database,
) -> None:
    await bring_up_to_date(database, replace(SECOND, version=3, oldest_code=2))
    with pytest.raises(SirenError, match="code older than version 2 must not use") as refused:
        await bring_up_to_date(database, FIRST)
    assert refused.value.code == "database_too_new"
    await bring_up_to_date(database, SECOND)


async def test_an_upgrade_that_fails_halfway_is_repeated_and_not_noted(database: Database) -> None:
    await make_first(database)
    await bring_up_to_date(database, FIRST)

    async def fail(_: Database) -> None:
        raise RuntimeError("halfway")

    third = replace(SECOND, version=3, steps={2: _add_size, 3: fail})
    with pytest.raises(RuntimeError):
        await bring_up_to_date(database, third)
    assert await recorded(database, "cups") == Recorded(1, 1)

    await bring_up_to_date(database, SECOND)
    assert await recorded(database, "cups") == Recorded(2, 1)


async def test_several_processes_may_do_it_at_once(database_url: str, database: Database) -> None:
    await make_first(database)
    others = [Database(database_url, metadata) for _ in range(3)]
    await asyncio.gather(*(bring_up_to_date(each, SECOND) for each in others))
    assert await recorded(database, "cups") == Recorded(2, 1)
    for each in others:
        await each.close()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_an_upgrade_that_must_wait_for_a_reader_lets_others_read_on(
    database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemas, "TRIES", 1)
    await make_first(database)
    await bring_up_to_date(database, FIRST)
    upgrading = Database(database_url, metadata)
    async with database.read() as reader:
        await reader.execute(text("SELECT id FROM cups"))
        with pytest.raises(Unavailable):
            await bring_up_to_date(upgrading, SECOND)
        async with database.read() as other:
            assert await other.scalar(select(cups.c.id)) == 1
    await bring_up_to_date(upgrading, SECOND)
    assert await columns(database) == {"id", "size"}
    await upgrading.close()


def test_two_versions_take_the_same_lock_to_write(tmp_path: object) -> None:
    """It follows from the names of a service's tables: one more would let both write at once."""
    ledger = PaymentLedger(f"sqlite+aiosqlite:///{tmp_path}/payments.db")
    assert ledger.database._lock_key == zlib.crc32(b"payments")
