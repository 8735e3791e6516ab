"""One asynchronous SQLAlchemy database: serialized write transactions, concurrent reads.

Owns what differs between SQLite and PostgreSQL, so that the services need not know.
"""

import asyncio
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    Table,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from actors.domain.errors import Unavailable

Result = TypeVar("Result")

BUSY_TIMEOUT_MS = 10_000
# Parameters hold names and phone numbers: they must not reach a log by way of an error.
SQLITE_POOL: dict[str, Any] = {"max_overflow": 0, "hide_parameters": True}
READERS = 4
# SQLSTATEs that are no fault of the statement: connection, conflict, resources, operator, system,
# and a standby that only reads.
PASSING_STATES = ("08", "25006", "40", "53", "57", "58")


class Database:
    """A service's database. Not connected before its first use.

    `write` transactions run one at a time across all processes: SQLite's own write lock (BEGIN
    IMMEDIATE), an advisory lock on PostgreSQL, taken before any row is read. So what is decided
    inside one is decided on the latest state, and positions become visible in order.
    """

    def __init__(self, url: str, metadata: MetaData, *, synchronous: str = "FULL") -> None:
        self.metadata = metadata
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self._lock_key = zlib.crc32(",".join(sorted(metadata.tables)).encode())
        self._write_turn = asyncio.Lock()
        self._threads: dict[str, _SqliteThreads] = {}
        if self.is_sqlite:
            self._writer = create_async_engine(url, pool_size=1, **SQLITE_POOL)
            self._reader = create_async_engine(url, pool_size=READERS, **SQLITE_POOL)
            _configure_sqlite(self._writer.sync_engine, "BEGIN IMMEDIATE", synchronous)
            _configure_sqlite(self._reader.sync_engine, "BEGIN", synchronous)
            self._threads = {
                "transact": _SqliteThreads(url, "BEGIN IMMEDIATE", synchronous, 1),
                "query": _SqliteThreads(url, "BEGIN", synchronous, READERS),
            }
        else:
            self._writer = self._reader = create_async_engine(
                url, pool_size=5, pool_pre_ping=True, hide_parameters=True
            )

    async def create_tables(self) -> None:
        """Create the tables that are missing."""
        async with self.write() as connection:
            await connection.run_sync(self.metadata.create_all)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction; committed, and on disk, when the block ends without an error.

        Raises `Unavailable` where the database cannot be reached or written: then the transaction
        may or may not have been committed.
        """
        with _unavailable_when_unreachable():
            async with self._write_turn, self._writer.begin() as connection:
                if not self.is_sqlite:
                    lock = text("SELECT pg_advisory_xact_lock(:key)")
                    await connection.execute(lock, {"key": self._lock_key})
                yield connection

    async def transact(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a write transaction, like `write`: the way for what is done often.

        On SQLite all of it is one hop to a thread. Through the asynchronous driver each statement
        takes three or four: 2.4 ms of CPU for a journal commit instead of 0.7.
        """
        with _unavailable_when_unreachable():
            if self._threads:
                return await self._threads["transact"].run(work)
            async with self.write() as connection:
                return await connection.run_sync(work)

    async def query(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a read transaction, like `read`: the way for what is read often."""
        with _unavailable_when_unreachable():
            if self._threads:
                return await self._threads["query"].run(work)
            async with self.read() as connection:
                return await connection.run_sync(work)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a read transaction: one consistent snapshot on SQLite.

        Raises `Unavailable` where the database cannot be reached.
        """
        with _unavailable_when_unreachable():
            async with self._reader.connect() as connection:
                yield connection

    def insert(self, table: Table) -> Any:
        """Return the dialect's own INSERT, which knows `on_conflict_do_update`."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def upsert(self, table: Table, key: str, columns: Iterable[str]) -> Any:
        """Return an INSERT that overwrites `columns` of the row that has the same `key`.

        Building it costs more than running it: build it once.
        """
        statement = self.insert(table)
        new = {name: statement.excluded[name] for name in columns}
        return statement.on_conflict_do_update(index_elements=[key], set_=new)

    async def close(self) -> None:
        """Close all connections."""
        await self._writer.dispose()
        if self._reader is not self._writer:
            await self._reader.dispose()
        for threads in self._threads.values():
            threads.close()


class _SqliteThreads:
    """A few threads with a connection each, for transactions that run in one go."""

    def __init__(self, url: str, begin: str, synchronous: str, threads: int) -> None:
        synchronous_url = make_url(url).set(drivername="sqlite")
        self._engine = create_engine(synchronous_url, pool_size=threads, **SQLITE_POOL)
        self._executor = ThreadPoolExecutor(threads, "sqlite")
        self._mine = threading.local()
        _configure_sqlite(self._engine, begin, synchronous)

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, work)

    def _run(self, work: Callable[[Connection], Result]) -> Result:
        # Each thread keeps its connection: taking one from the pool costs as much as a statement.
        connection: Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = self._engine.connect()
        with connection.begin():
            return work(connection)

    def close(self) -> None:
        self._executor.shutdown()
        self._engine.dispose()


class _unavailable_when_unreachable:  # noqa: N801 - reads as the context manager that it is
    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        unreachable = isinstance(error, OperationalError | InterfaceError | PoolTimeout | OSError)
        cut_off = isinstance(error, DBAPIError) and error.connection_invalidated
        sqlstate = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
        if unreachable or cut_off or sqlstate.startswith(PASSING_STATES):
            raise Unavailable("database_unavailable", _first_line(error)) from error


def _first_line(error: BaseException | None) -> str:
    return str(getattr(error, "orig", None) or error).partition("\n")[0]


def _configure_sqlite(engine: Engine, begin: str, synchronous: str) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        # The driver's own transaction handling begins too late and never IMMEDIATE.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Any) -> None:
        connection.exec_driver_sql(begin)
