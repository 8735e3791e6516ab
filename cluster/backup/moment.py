"""All databases as they are at one moment, so that none knows what another one does not.

For some milliseconds each database's write lock is held; meanwhile a snapshot of each is opened.
What the snapshots show is what a crash at that moment would have left.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.contracts.errors import SirenError, Unavailable
from actors.runtime.database import Database
from actors.runtime.database_faults import file_of, is_damage, words_of
from actors.settings import Service, Settings
from cluster.operations.read_only import ReadOnly

LOCK_S = 1.0
"""How long one lock is waited for while others are held, and orders wait."""
TRIES = 15
PAUSE_S = 1.0
"""Before the next try: who writes a database anew, as `siren forget` does, takes some seconds."""


@asynccontextmanager
async def one_moment(
    settings: Settings, databases: Mapping[Service, ReadOnly]
) -> AsyncIterator[dict[Service, AsyncConnection]]:
    """Open a snapshot of each database, all of them of one moment.

    Raises `SirenError` where a database cannot be read, or stays locked by somebody else.
    """
    async with AsyncExitStack() as opened:
        snapshots = {
            service: await opened.enter_async_context(database.read())
            for service, database in databases.items()
        }
        for _ in range(TRIES):
            try:
                async with _standing_still(settings, databases):
                    for service, snapshot in snapshots.items():
                        await _begin(snapshot, databases[service])
                break
            except _Busy as busy:
                name = busy.args[0]
                for snapshot in snapshots.values():
                    await snapshot.rollback()
            await asyncio.sleep(PAUSE_S)
        else:
            detail = f"{name} has been written to by somebody else all the time: try again"
            raise SirenError("database_busy", detail)
        yield snapshots


class _Busy(Exception):
    """Another process keeps a database's lock; its name."""


async def _begin(snapshot: AsyncConnection, database: ReadOnly) -> None:
    """Read something: only that opens the snapshot."""
    if snapshot.dialect.name == "postgresql":  # it has to wait for the others to be read
        await snapshot.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    table = next(iter(database.metadata.tables.values()))
    await snapshot.execute(select(*table.primary_key.columns).limit(1))


@asynccontextmanager
async def _standing_still(
    settings: Settings, databases: Mapping[Service, ReadOnly]
) -> AsyncIterator[None]:
    """Hold the write lock of each database, the journal's first: then little is under way."""
    async with AsyncExitStack() as locks:
        for service, database in databases.items():
            url = settings.url(service)
            file = file_of(url)
            if file is None:
                await locks.enter_async_context(_server_locked(url, database))
            else:
                locks.enter_context(_file_locked(file))
        yield


@contextmanager
def _file_locked(file: Path) -> Iterator[None]:
    place = f"file:{quote(str(file))}?mode=rw"
    try:
        with closing(
            sqlite3.connect(place, uri=True, isolation_level=None, timeout=LOCK_S)
        ) as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                database.execute("ROLLBACK")
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise _Busy(str(file)) from error
        code = "database_damaged" if is_damage(error) else "database_unreadable"
        raise SirenError(code, f"cannot lock {file}: {words_of(error)}") from error


@asynccontextmanager
async def _server_locked(url: str, database: ReadOnly) -> AsyncIterator[None]:
    writer = Database(url, database.metadata)
    try:
        async with writer.write(limit_s=LOCK_S):
            yield
    except Unavailable as error:
        raise _Busy(error.detail) from error
    finally:
        await writer.close()
