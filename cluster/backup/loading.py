"""Tables made and filled: in a new SQLite file, or in a transaction on a PostgreSQL server."""

import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from sqlalchemy import BigInteger, Connection, MetaData, Table, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateIndex, CreateTable

from actors.contracts.errors import SirenError
from actors.runtime.database import Database
from actors.runtime.database_faults import PARTS, words_of
from actors.runtime.syncing import sync

RESTORING = ".restoring"
CACHE_KIB = 64 * 1024


class Loader(Protocol):
    """Makes the tables of one database. Raises `SirenError` where it cannot."""

    async def create(self, table: Table) -> None:
        """Make a table."""

    async def insert(
        self, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Put rows into it."""

    async def finish(self, table: Table) -> None:
        """Make what is quicker to make once all rows are there."""

    async def publish(self) -> None:
        """Let everybody see the database: on disk when this returns."""


class FileLoader:
    """Fills a file beside the one that it becomes; what an interrupted one left is written over."""

    def __init__(self, file: Path, metadata: MetaData) -> None:
        self._file = file
        self._new = file.with_name(file.name + RESTORING)
        self._metadata = metadata
        self._database: sqlite3.Connection

    def __enter__(self) -> Self:
        self._remove()
        try:
            self._database = sqlite3.connect(self._new, isolation_level=None)
            for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{CACHE_KIB}"):
                self._database.execute(f"PRAGMA {pragma}")
            self._database.execute("BEGIN")
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()
        self._remove()

    async def create(self, table: Table) -> None:
        """Make a table, without its indexes."""
        self._run(str(CreateTable(table).compile(dialect=sqlite.dialect())))

    async def insert(
        self, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Put rows into it."""
        marks = ", ".join("?" * len(columns))
        names = ", ".join(columns)
        statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608 - names of ours
        try:
            self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    async def finish(self, table: Table) -> None:
        """Make its indexes."""
        for index in table.indexes:
            self._run(str(CreateIndex(index).compile(dialect=sqlite.dialect())))

    async def publish(self) -> None:
        """Give the file its name, on disk when this returns."""
        self._run("COMMIT")
        self._database.close()
        try:
            sync(self._new)
            for end in PARTS[1:]:  # of a database that was taken away
                self._file.with_name(self._file.name + end).unlink(missing_ok=True)
            sync(self._file.parent)  # a log that came back would be read into the new file
            self._new.rename(self._file)
            sync(self._file.parent)
        except OSError as error:
            raise self._failed(error) from error

    def _run(self, statement: str) -> None:
        try:
            self._database.execute(statement)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> SirenError:
        return SirenError("not_restored", f"cannot make {self._file}: {words_of(error)}")

    def _remove(self) -> None:
        with suppress(OSError):
            self._new.unlink(missing_ok=True)


class ServerLoader:
    """Fills tables in one transaction: nobody sees them before `publish`."""

    def __init__(self, url: str, metadata: MetaData) -> None:
        self._database = Database(url, metadata)
        self._opened = AsyncExitStack()
        self._connection: AsyncConnection

    async def __aenter__(self) -> Self:
        self._opened.push_async_callback(self._database.close)
        try:
            writing = self._database.write(limit_s=None)
            self._connection = await self._opened.enter_async_context(writing)
            await self._connection.execute(
                text("SET LOCAL idle_in_transaction_session_timeout = 0")
            )
        except BaseException:
            await self._opened.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._opened.__aexit__(kind, error, trace)

    async def create(self, table: Table) -> None:
        """Make a table, with its indexes."""
        await self._connection.run_sync(table.create)

    async def insert(
        self, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Put rows into it, by PostgreSQL's own COPY."""
        raw = await self._connection.get_raw_connection()
        driver: Any = raw.driver_connection
        await driver.copy_records_to_table(table.name, records=rows, columns=columns)

    async def finish(self, table: Table) -> None:
        """Let numbers that the server gives go on behind the last one, and let it know the rows."""
        counted = table.autoincrement_column
        if counted is not None and isinstance(counted.type, BigInteger):
            await self._connection.run_sync(_go_on, table.name, counted.name)
        await self._connection.execute(text(f"ANALYZE {table.name}"))

    async def publish(self) -> None:
        """Commit."""
        await self._opened.aclose()


def _go_on(connection: Connection, table: str, column: str) -> None:
    names = {"table": table, "column": column}
    sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:table, :column)"), names)
    if sequence is not None:
        last = f"SELECT max({column}) FROM {table}"  # noqa: S608 - names of ours
        reached = connection.scalar(text(last))
        if reached is not None:
            names = {"name": sequence, "reached": reached}
            connection.execute(text("SELECT setval(:name, :reached)"), names)
