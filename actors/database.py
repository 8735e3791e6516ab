"""One asynchronous SQLAlchemy database: serialized write transactions, concurrent reads.

Owns what differs between SQLite and PostgreSQL, so that the services need not know.
"""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Engine,
    MetaData,
    String,
    Table,
    any_,
    bindparam,
    create_engine,
    event,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.types import TypeDecorator

from actors.domain.errors import Unavailable

Result = TypeVar("Result")

BUSY_TIMEOUT_MS = 10_000
# Parameters hold names and phone numbers: they must not reach a log by way of an error.
SQLITE_POOL: dict[str, Any] = {"max_overflow": 0, "hide_parameters": True}
READERS = 4
CACHE_KIB = 32 * 1024
CHECKPOINT_PAGES = 4000
"""Pages in the write-ahead log before they are copied into the database: 16 MiB. By then many of
them are newer versions of each other, and only the newest is copied."""
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
        self._inline_write: _InlineSqlite | None = None
        self._inline_read: _InlineSqlite | None = None
        if self.is_sqlite:
            self._writer = create_async_engine(url, pool_size=1, **SQLITE_POOL)
            self._reader = create_async_engine(url, pool_size=READERS, **SQLITE_POOL)
            _configure_sqlite(self._writer.sync_engine, "BEGIN IMMEDIATE", synchronous)
            _configure_sqlite(self._reader.sync_engine, "BEGIN", synchronous)
            self._inline_write = _InlineSqlite(url, "BEGIN IMMEDIATE", synchronous)
            self._inline_read = _InlineSqlite(url, "BEGIN", synchronous)
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

        On SQLite it runs here and now, and the event loop waits: SQLite works in this process, so
        a thread would only take turns with the loop, row by row (see tests/load/README.md).
        """
        with _unavailable_when_unreachable():
            if self._inline_write is not None:
                await asyncio.sleep(0)  # or a loop of transactions would leave nobody a turn
                # Whoever holds the database's lock by way of `write` needs the loop to let go.
                async with self._write_turn:
                    return self._inline_write.run(work)
            async with self.write() as connection:
                return await connection.run_sync(work)

    async def query(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a read transaction: the way for what is read often, and is short."""
        with _unavailable_when_unreachable():
            if self._inline_read is not None:
                await asyncio.sleep(0)
                return self._inline_read.run(work)
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

    def among(self, column: Column[str], name: str) -> ColumnElement[bool]:
        """Return the condition that `column` is in the list that is bound to `name`.

        One statement for lists of any length, so that it is built and prepared once: for 50 ids
        0.2 ms instead of 0.36, for one 0.04 instead of 0.2.
        """
        if self.is_sqlite:
            values = func.json_each(bindparam(name, type_=_JsonList)).table_valued("value")
            return column.in_(select(values.c.value))
        return column == any_(bindparam(name, type_=ARRAY(column.type)))

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
        for inline in (self._inline_write, self._inline_read):
            if inline is not None:
                inline.close()


class _InlineSqlite:
    """One connection for transactions that run on the event loop. Not connected before its use."""

    def __init__(self, url: str, begin: str, synchronous: str) -> None:
        self._engine = create_engine(make_url(url).set(drivername="sqlite"), **SQLITE_POOL)
        self._connection: Connection | None = None
        _configure_sqlite(self._engine, begin, synchronous)

    def run(self, work: Callable[[Connection], Result]) -> Result:
        if self._connection is None:  # kept: taking it from the pool costs as much as a statement
            self._connection = self._engine.connect()
        with self._connection.begin():
            return work(self._connection)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()


class _JsonList(TypeDecorator[list[str]]):
    """A list as one SQLite parameter, for `json_each`."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: list[str] | None, dialect: object) -> str:
        return json.dumps(value)


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
        cursor.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        cursor.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Any) -> None:
        connection.exec_driver_sql(begin)
