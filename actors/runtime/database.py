"""One asynchronous SQLAlchemy database: serialized write transactions, concurrent reads.

Owns what differs between SQLite and PostgreSQL, so that the services need not know.
"""

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    ColumnElement,
    Executable,
    MetaData,
    Table,
    any_,
    bindparam,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.runtime.batching import Pace
from actors.runtime.database_faults import DatabaseFaults
from actors.runtime.engines import Engines
from actors.runtime.postgres_connections import PostgresConnections
from actors.runtime.postgres_function import PostgresFunction
from actors.runtime.sqlite_connections import BUSY_TIMEOUT_S, FileId, InlineSqlite, file_id
from actors.runtime.statements import OnConnection, Prepared, Row, Transaction, as_one, decode_rows
from actors.runtime.waits import NEVER_S, Wait, Waits

Result = TypeVar("Result")

LOOK_EVERY_S = 0.25
"""How soon a reader notices that another file took its database's place."""
CHECK_EVERY_S = 0.02
"""How soon a writer does. To look before every commit took 3 % of an order's time."""
READ_LIMIT_S = 5.0
WRITE_LIMIT_S = 10.0
DDL_WAIT_MS = 500
"""How long a server may take for a transaction, the connection included. One that was stopped, or
that a network no longer leads to, says nothing at all."""


class Database:
    """A service's database. Not connected before its first use.

    Write transactions run one at a time across all processes: SQLite's own write lock (BEGIN
    IMMEDIATE), an advisory lock on PostgreSQL, taken before any row is read. So what is decided
    inside one is decided on the latest state, and positions become visible in order. `GroupCommit`
    decides before it takes the lock on PostgreSQL, and again where the state is another by then.

    There are two ways in. `transact`, `fetch`, `fetch_all` and `GroupCommit` are for what every
    order needs: prepared statements, on SQLite no thread and on PostgreSQL one round trip, and
    nothing of SQLAlchemy in between. `write` and `read` are SQLAlchemy's own connections, for
    everything else.
    """

    def __init__(self, url: str, metadata: MetaData, *, synchronous: str = "FULL") -> None:
        self.metadata = metadata
        self.faults = DatabaseFaults(url, self._reads_current_file)
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self.waits = Waits()
        self.pace = Pace()
        """How many belong into a batch that is committed here."""
        self._lock_key = zlib.crc32(",".join(sorted(metadata.tables)).encode())
        self._write_turn = asyncio.Lock()
        self._durable = synchronous == "FULL"
        self._postgres: PostgresConnections | None = None
        self._together: dict[tuple[Prepared, ...], Prepared] = {}
        self._inline_write: InlineSqlite | None = None
        self._inline_read: InlineSqlite | None = None
        self._looked_at = self._checked_at = 0.0
        self._read_file: FileId = None
        self._reader_is_stale = False
        self._engines = Engines(url, synchronous)
        if self.is_sqlite:
            self._inline_write = InlineSqlite(url, "BEGIN IMMEDIATE", synchronous, self.pace)
            self._inline_read = InlineSqlite(url, "BEGIN", synchronous)
        else:
            self._postgres = PostgresConnections(url)

    @property
    def name(self) -> str:
        """What operators call it: its file, or its server and name."""
        return self.faults.name

    async def create_tables(self) -> None:
        """Create the tables that are missing."""
        async with self.change_schema() as connection:
            await connection.run_sync(self.metadata.create_all)

    @asynccontextmanager
    async def change_schema(self) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction that may change tables; as `write`.

        A server lets nobody else at a table for which a change waits: it waits for a moment only.
        """
        async with self.write() as connection:
            if not self.is_sqlite:
                await connection.execute(text(f"SET LOCAL lock_timeout = '{DDL_WAIT_MS}ms'"))
            yield connection

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
            ):
                with self._wait(limit_s):
                    async with self._engines.writer.begin() as connection:
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
                await self._engines.reader.dispose()
            with self._wait(READ_LIMIT_S):
                limit_s = None if self.is_sqlite else READ_LIMIT_S
                async with asyncio.timeout(limit_s), self._engines.reader.connect() as connection:
                    yield connection

    async def transact(self, work: Callable[[Transaction], Result]) -> Result:
        """Run `work` in a write transaction and return its result. Raises what `write` raises.

        On SQLite it runs here and now, and the event loop waits: SQLite works in this process, so
        a thread would only take turns with the loop, row by row (see tests/bench/README.md).
        """
        with self.faults.reached:
            if self._inline_write is not None:
                await asyncio.sleep(0)  # or a loop of transactions would leave nobody a turn
                # Whoever holds the database's lock by way of `write` needs the loop to let go.
                async with self._write_turn:
                    self._check_files()
                    with self._wait(WRITE_LIMIT_S):
                        await self._inline_write.begin()
                        if self.pace.holds_others_up:
                            return await self._inline_write.run_aside(work)
                        return self._inline_write.run(work)
            async with self.write() as connection:
                return await connection.run_sync(lambda sync: work(OnConnection(sync)))

    async def fetch(self, statement: Prepared, parameters: Row) -> Sequence[Sequence[Any]]:
        """Return the rows of one query, without a transaction; raises what `read` raises."""
        with self.faults.reached:
            if self._inline_read is not None:
                await asyncio.sleep(0)
                self._look_for_another_file()
                return self._inline_read.fetch(statement, parameters)
            assert self._postgres is not None
            arguments = statement.arguments(parameters)
            with self._wait(READ_LIMIT_S):
                return await self._postgres.fetch(
                    statement.text, arguments, READ_LIMIT_S, again=True
                )

    async def fetch_all(
        self, statements: tuple[Prepared, ...], parameters: Row
    ) -> list[Sequence[Sequence[Any]]]:
        """Return the rows of some queries, all of them from one snapshot, as `fetch` does."""
        if self._inline_read is None:
            together = self._together.get(statements)
            if together is None:
                together = self._together[statements] = self.prepare(as_one(statements))
            return [decode_rows(rows) for rows in (await self.fetch(together, parameters))[0]]
        with self.faults.reached:
            await asyncio.sleep(0)
            self._look_for_another_file()
            return self._inline_read.run(lambda t: [t.all(each, parameters) for each in statements])

    def function(
        self, reads: Sequence[Prepared], changes: Sequence[Prepared]
    ) -> PostgresFunction | None:
        """Return what commits such changes on PostgreSQL; None on SQLite. See `GroupCommit`."""
        if self._postgres is None:
            return None
        return PostgresFunction(self._lock_key, reads, changes, durable=self._durable)

    async def call(self, text: str, *arguments: str | None) -> str | None:
        """Run a `function`: what it changes is committed by then. Raises what `write` raises.

        What it only reads is read in order to be committed, and has a transaction's limit, too.
        """
        assert self._postgres is not None
        with self.faults.reached, self._wait(WRITE_LIMIT_S):
            found: str | None = await self._postgres.value(text, *arguments, limit_s=WRITE_LIMIT_S)
            return found

    async def define(self, function: PostgresFunction) -> None:
        """Create a function, unless somebody else has. Raises what `write` raises."""
        async with self.write() as connection:
            await connection.exec_driver_sql(function.creation)

    def prepare(self, statement: Executable, columns: Iterable[str] = ()) -> Prepared:
        """Return a statement for `transact`, `fetch` and `fetch_all`.

        An INSERT names its `columns`. Building one costs more than running it: do it once.
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

    def _wait(self, limit_s: float | None) -> Wait:
        limit_s = BUSY_TIMEOUT_S if self.is_sqlite and limit_s is not None else limit_s
        return self.waits.up_to(float("inf") if limit_s is None else limit_s + NEVER_S)

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
        await self._engines.close()
        if self._postgres is not None:
            await self._postgres.close()
        for inline in (self._inline_write, self._inline_read):
            if inline is not None:
                inline.close()
