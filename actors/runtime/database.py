"""One asynchronous SQLAlchemy database: serialized write transactions, concurrent reads.

Owns what differs between SQLite and PostgreSQL, so that the services need not know.
"""

import asyncio
import os
import sqlite3
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from operator import itemgetter
from typing import Any, Protocol, TypeVar

import msgspec
from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Executable,
    MetaData,
    Table,
    any_,
    bindparam,
    event,
    func,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from actors.runtime.database_faults import DatabaseFaults
from actors.sqlite_connection import OPENING

Result = TypeVar("Result")
_json = msgspec.json.encode
Row = Mapping[str, Any]

BUSY_TIMEOUT_S = 10
# Parameters hold names and phone numbers: they must not reach a log by way of an error.
SQLITE_POOL: dict[str, Any] = {
    "max_overflow": 0,
    "hide_parameters": True,
    "connect_args": OPENING,
}
READERS = 4
LOOK_EVERY_S = 0.25
"""How soon a reader notices that another file took its database's place."""
CHECK_EVERY_S = 0.02
"""How soon a writer does. To look before every commit took 3 % of an order's time."""
READ_LIMIT_S = 5.0
WRITE_LIMIT_S = 10.0
"""How long a server may take for a transaction, the connection included. One that was stopped, or
that a network no longer leads to, says nothing at all."""
CACHE_KIB = 32 * 1024
CHECKPOINT_PAGES = 4000
"""Pages in the write-ahead log before they are copied into the database: 16 MiB. By then many of
them are newer versions of each other, and only the newest is copied."""


FileId = tuple[int, int] | None
"""Device and inode; None where there is no file."""


class Prepared:
    """A statement that is built and compiled once: see `Database.prepare`."""

    def __init__(self, statement: Executable, columns: Iterable[str], *, for_sqlite: bool) -> None:
        self.statement = statement
        self.text = ""
        self._names: Sequence[str] = ()
        self._fixed: Row = {}
        if for_sqlite:
            names = list(columns) or None
            compiled = statement.compile(dialect=sqlite.dialect(), column_keys=names)  # type: ignore[attr-defined]
            self.text = compiled.string
            self._names = compiled.positiontup or ()
            self._fixed = compiled.params

    def arguments(self, parameters: Row) -> list[Any]:
        """Return the parameters of the text, in its order; a list becomes JSON, for `among`."""
        given = {**self._fixed, **parameters}
        values = (given[name] for name in self._names)
        return [_json(value).decode() if type(value) is list else value for value in values]

    def rows(self, rows: Sequence[Row]) -> Iterator[tuple[Any, ...]]:
        """Return many rows of parameters as tuples in the text's order."""
        if len(self._names) == 1:
            return ((row[self._names[0]],) for row in rows)
        return map(itemgetter(*self._names), rows)


class Transaction(Protocol):
    """What the work of a transaction runs its statements in."""

    def all(self, statement: Prepared, parameters: Row) -> Sequence[Sequence[Any]]:
        """Return the rows of a query; what the database has as boolean may come as 0 or 1."""

    def change(self, statement: Prepared, rows: Sequence[Row]) -> int:
        """Run a statement once for each row of parameters; return how many rows it changed."""


class Database:
    """A service's database. Not connected before its first use.

    Write transactions run one at a time across all processes: SQLite's own write lock (BEGIN
    IMMEDIATE), an advisory lock on PostgreSQL, taken before any row is read. So what is decided
    inside one is decided on the latest state, and positions become visible in order.

    There are two ways in. `transact`, `query` and `fetch` are for what every order needs: prepared
    statements, and on SQLite no thread and nothing of SQLAlchemy in between. `write` and `read`
    are SQLAlchemy's own connections, for everything else.
    """

    def __init__(self, url: str, metadata: MetaData, *, synchronous: str = "FULL") -> None:
        self.metadata = metadata
        self.faults = DatabaseFaults(url, self._reads_current_file)
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self._lock_key = zlib.crc32(",".join(sorted(metadata.tables)).encode())
        self._write_turn = asyncio.Lock()
        self._inline_write: _InlineSqlite | None = None
        self._inline_read: _InlineSqlite | None = None
        self._looked_at = self._checked_at = 0.0
        self._read_file: FileId = None
        self._reader_is_stale = False
        if self.is_sqlite:
            self._writer = create_async_engine(url, pool_size=1, **SQLITE_POOL)
            self._reader = create_async_engine(url, pool_size=READERS, **SQLITE_POOL)
            _configure_engine(self._writer.sync_engine, "BEGIN IMMEDIATE", synchronous)
            _configure_engine(self._reader.sync_engine, "BEGIN", synchronous)
            self._inline_write = _InlineSqlite(url, "BEGIN IMMEDIATE", synchronous)
            self._inline_read = _InlineSqlite(url, "BEGIN", synchronous)
        else:
            self._writer = self._reader = create_async_engine(
                url, pool_size=5, pool_pre_ping=True, hide_parameters=True
            )

    @property
    def name(self) -> str:
        """What operators call it: its file, or its server and name."""
        return self.faults.name

    async def create_tables(self) -> None:
        """Create the tables that are missing."""
        async with self.write() as connection:
            await connection.run_sync(self.metadata.create_all)

    async def add_column(self, column: Column[Any]) -> None:
        """Add a column, which may be NULL, to a table that an earlier version created without."""

        def add(connection: Connection) -> None:
            present = {each["name"] for each in inspect(connection).get_columns(column.table.name)}
            if column.name not in present:
                kind = column.type.compile(connection.dialect)
                statement = f"ALTER TABLE {column.table.name} ADD COLUMN {column.name} {kind}"
                connection.execute(text(statement))

        async with self.write() as connection:
            await connection.run_sync(add)

    @asynccontextmanager
    async def write(
        self, *, limit_s: float | None = WRITE_LIMIT_S
    ) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction; committed, and on disk, when the block ends without an error.

        Raises `Unavailable` where the database cannot be reached or written, or a server has not
        answered after `limit_s` seconds: then the transaction may or may not have been committed.
        """
        with self.faults.reached:
            self._check_files()
            async with (
                asyncio.timeout(None if self.is_sqlite else limit_s),
                self._write_turn,
                self._writer.begin() as connection,
            ):
                if not self.is_sqlite:
                    lock = text("SELECT pg_advisory_xact_lock(:key)")
                    await connection.execute(lock, {"key": self._lock_key})
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a read transaction: one consistent snapshot on SQLite.

        Raises `Unavailable` where the database cannot be reached, or a server has not answered
        after `READ_LIMIT_S`.
        """
        with self.faults.reached:
            self._look_for_another_file()
            if self._reader_is_stale:
                self._reader_is_stale = False
                await self._reader.dispose()
            async with (
                asyncio.timeout(None if self.is_sqlite else READ_LIMIT_S),
                self._reader.connect() as connection,
            ):
                yield connection

    async def transact(self, work: Callable[[Transaction], Result]) -> Result:
        """Run `work` in a write transaction and return its result. Raises what `write` raises.

        On SQLite it runs here and now, and the event loop waits: SQLite works in this process, so
        a thread would only take turns with the loop, row by row (see tests/load/README.md).
        """
        with self.faults.reached:
            if self._inline_write is not None:
                await asyncio.sleep(0)  # or a loop of transactions would leave nobody a turn
                # Whoever holds the database's lock by way of `write` needs the loop to let go.
                async with self._write_turn:
                    self._check_files()
                    return self._inline_write.run(work)
            async with self.write() as connection:
                return await connection.run_sync(lambda sync: work(_SqlAlchemyTransaction(sync)))

    async def query(self, work: Callable[[Transaction], Result]) -> Result:
        """Run short `work` in a read transaction, as `transact` does. Raises what `read` raises."""
        with self.faults.reached:
            if self._inline_read is not None:
                await asyncio.sleep(0)
                self._look_for_another_file()
                return self._inline_read.run(work)
            async with self.read() as connection:
                return await connection.run_sync(lambda sync: work(_SqlAlchemyTransaction(sync)))

    async def fetch(self, statement: Prepared, parameters: Row) -> Sequence[Sequence[Any]]:
        """Return the rows of one query, as `query` would: alone it needs no transaction."""
        with self.faults.reached:
            if self._inline_read is not None:
                await asyncio.sleep(0)
                self._look_for_another_file()
                return self._inline_read.fetch(statement, parameters)
            async with self.read() as connection:
                return (await connection.execute(statement.statement, parameters)).all()

    def prepare(self, statement: Executable, columns: Iterable[str] = ()) -> Prepared:
        """Return a statement for `transact`, `query` and `fetch`; an INSERT names its `columns`.

        Building one costs more than running it: do it once.
        """
        return Prepared(statement, columns, for_sqlite=self.is_sqlite)

    def among(self, column: Column[str], name: str) -> ColumnElement[bool]:
        """Return the condition that `column` is in the list that is bound to `name`.

        One statement for lists of any length, so that it is built and compiled once.
        """
        if self.is_sqlite:
            values = func.json_each(bindparam(name, type_=JSON)).table_valued("value")
            return column.in_(select(values.c.value))
        return column == any_(bindparam(name, type_=ARRAY(column.type)))

    def insert(self, table: Table) -> Any:
        """Return the dialect's own INSERT, which knows `on_conflict_do_update`."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def prepare_upsert(
        self, table: Table, key: str, changing: Iterable[str], columns: Iterable[str] = ()
    ) -> Prepared:
        """Return an INSERT of `columns` (all of the table's if not given).

        Where a row has the same `key`, its `changing` columns are overwritten.
        """
        statement = self.insert(table)
        new = {name: statement.excluded[name] for name in changing}
        upsert = statement.on_conflict_do_update(index_elements=[key], set_=new)
        return self.prepare(upsert, columns or [column.name for column in table.c])

    def _check_files(self) -> None:
        """Raise `Damaged` where a commit would go to a file that is no longer at its place.

        Whoever deletes or replaces a database under a running system takes along what is written
        from then on, although every commit succeeds.
        """
        if (
            self._inline_write is None
            or (now := time.monotonic()) < self._checked_at + CHECK_EVERY_S
        ):
            return
        if self._inline_write.has_lost_its_files():
            raise self.faults.damaged("it was deleted or replaced while it was in use")
        self._checked_at = now

    def _reads_current_file(self) -> bool:
        reader = self._inline_read
        return reader is None or self._read_file in (None, file_id(reader.path))

    def _look_for_another_file(self) -> None:
        """Read from the file that is at the database's place; from the old one until there is."""
        if self._inline_read is None or (now := time.monotonic()) < self._looked_at + LOOK_EVERY_S:
            return
        self._looked_at = now
        found = file_id(self._inline_read.path)
        if found is None:
            return
        if self._read_file not in (None, found):
            self._inline_read.close()
            self._reader_is_stale = True
        self._read_file = found

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
        self.path = make_url(url).database or ""
        self._files: tuple[FileId, ...] | None = None
        self._begin = begin
        self._synchronous = synchronous
        self._connection: sqlite3.Connection | None = None

    def run(self, work: Callable[[Transaction], Result]) -> Result:
        connection = self._connection or self._connect()
        connection.execute(self._begin)
        try:
            result = work(_SqliteTransaction(connection))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if self._files is None:  # the log is there by now
            self._files = self._find_files()
        return result

    def has_lost_its_files(self) -> bool:
        """Return whether the database or its log is another file than the one that is open."""
        return self._files is not None and self._files != self._find_files()

    def _find_files(self) -> tuple[FileId, ...]:
        return tuple(file_id(self.path + end) for end in ("", "-wal", "-shm"))

    def fetch(self, statement: Prepared, parameters: Row) -> Sequence[Sequence[Any]]:
        return _SqliteTransaction(self._connection or self._connect()).all(statement, parameters)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = self._files = None

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        _configure(connection, self._synchronous)
        self._connection = connection
        return connection


class _SqliteTransaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self, statement: Prepared, parameters: Row) -> Sequence[Sequence[Any]]:
        return self._connection.execute(statement.text, statement.arguments(parameters)).fetchall()

    def change(self, statement: Prepared, rows: Sequence[Row]) -> int:
        return self._connection.executemany(statement.text, statement.rows(rows)).rowcount


class _SqlAlchemyTransaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, statement: Prepared, parameters: Row) -> Sequence[Sequence[Any]]:
        return self._connection.execute(statement.statement, parameters).all()

    def change(self, statement: Prepared, rows: Sequence[Row]) -> int:
        return self._connection.execute(statement.statement, rows).rowcount


def file_id(path: str) -> FileId:
    """Return which file is at a path."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a third of the time of Path's
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _configure_engine(engine: Engine, begin: str, synchronous: str) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        # The driver's own transaction handling begins too late and never IMMEDIATE.
        connection.isolation_level = None
        _configure(connection, synchronous)

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Any) -> None:
        connection.exec_driver_sql(begin)


def _configure(connection: Any, synchronous: str) -> None:
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_S * 1000:.0f}",
        "journal_mode=WAL",
        f"synchronous={synchronous}",
        f"cache_size=-{CACHE_KIB}",
        f"wal_autocheckpoint={CHECKPOINT_PAGES}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
