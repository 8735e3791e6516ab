"""Databases that somebody else has locked, and a disk on which somebody else writes and syncs."""

import asyncio
import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import MetaData, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from actors.runtime.database_faults import file_of, sqlite_files
from actors.runtime.postgres_connections import engine_options
from actors.settings import SERVICES, Settings
from cluster.audit.databases import METADATA
from cluster.chaos.fault import Begun, Do, Fault

LOCKED_S = (1.0, 6.0)
SLOW_S = (2.0, 6.0)
FOR_LOCK_S = 5.0
"""For so long the lock is tried to be had."""
WRITERS = 4
CHUNK = b"\0" * (1 << 20)


def faults(settings: Settings) -> Iterator[Fault]:
    """Return what can be done to the databases of a system."""
    for service in SERVICES:
        url = settings.url(service)
        file = file_of(url)
        locked = _locked_server(url, METADATA[service]) if file is None else _locked_file(file)
        yield Fault(f"lock-{service}", "locked database", service, locked, LOCKED_S, service)
    if folders := {file.parent for file in sqlite_files(settings).values()}:
        yield Fault("slow-disk", "slow disk", "databases' disk", _slow(folders), SLOW_S)


def _locked_file(file: Path) -> Do:
    async def lock(seconds: float, begun: Begun) -> None:
        database = await asyncio.to_thread(_write_lock, file)
        if database is not None:
            with closing(database):  # which lets go, as the kernel does where this process dies
                begun(file.name)
                await asyncio.sleep(seconds)

    return lock


def _write_lock(file: Path) -> sqlite3.Connection | None:
    """Return a connection that holds the write lock of a database; None where it is not to have."""
    address = f"file:{quote(str(file))}?mode=rw"
    with suppress(sqlite3.Error):
        database = sqlite3.connect(
            address, uri=True, timeout=FOR_LOCK_S, isolation_level=None, check_same_thread=False
        )
        try:
            database.execute("BEGIN IMMEDIATE")
        except BaseException:
            database.close()
            raise
        return database
    return None


def _locked_server(url: str, metadata: MetaData) -> Do:
    tables = ", ".join(sorted(metadata.tables))

    async def lock(seconds: float, begun: Begun) -> None:
        plain, options = engine_options(make_url(url))
        engine = create_async_engine(plain, hide_parameters=True, **options)
        try:
            async with engine.connect() as connection:
                # The server itself lets go where this process hangs.
                for limit, most in (
                    ("idle_in_transaction_session", seconds * 2),
                    ("lock", FOR_LOCK_S),
                ):
                    await connection.execute(text(f"SET LOCAL {limit}_timeout = '{most:.0f}s'"))
                await connection.execute(text(f"LOCK TABLE {tables} IN EXCLUSIVE MODE"))
                begun("its tables")
                await asyncio.sleep(seconds)
        except (DBAPIError, OSError):
            pass
        finally:
            await engine.dispose()

    return lock


def _slow(folders: set[Path]) -> Do:
    async def slow(seconds: float, begun: Begun) -> None:
        over = threading.Event()
        writers = [
            threading.Thread(target=_write, args=(folder, over), daemon=True)
            for folder in folders
            for _ in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        try:
            begun(" and ".join(sorted(map(str, folders))))
            await asyncio.sleep(seconds)
        finally:
            over.set()
            for writer in writers:
                await asyncio.to_thread(writer.join)

    return slow


def _write(folder: Path, over: threading.Event) -> None:
    """Write and sync a file without a name: nothing is left of it, however this process ends."""
    with tempfile.TemporaryFile(dir=folder) as file:
        while not over.is_set():
            os.pwrite(file.fileno(), CHUNK, 0)
            os.fsync(file.fileno())
