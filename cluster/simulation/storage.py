"""The databases: production's statements on SQLite in memory, with faults around each commit.

Stands in for `InlineSqlite` and `Engines`; see `ways_in`, too. One connection a database for all
processes: transactions run one at a time here, as they do on any disk. What a schedule has written
is rolled back after it.
"""

import sqlite3
from collections import namedtuple
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import PurePath
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Select, create_engine, make_url
from sqlalchemy.pool import StaticPool

from actors.order.journal_failures import _has_table
from actors.runtime.statements import Prepared, Row, Transaction
from cluster.simulation.ports import Port

Result = TypeVar("Result")
After = Callable[[], None] | None


class Watched(Protocol):
    """What is asked before anything is read or written, and told after it was."""

    def before_write(self, service: str) -> Awaitable[After] | None:
        """Fail, or let a commit go on; or return what it waits for.

        That is what happens once it is committed, which may fail, too.
        """

    def before_read(self, service: str) -> None:
        """Fail, or not."""

    def committed(self, service: str) -> None:
        """Take note of a commit."""


class _Connection(sqlite3.Connection):
    """One that SQLAlchemy does not begin or end transactions on."""

    def commit(self) -> None:
        pass

    def rollback(self) -> None:
        pass


class Disk(Port):
    """One service's database, for as many processes as there are."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.raw = sqlite3.connect(
            ":memory:", factory=_Connection, isolation_level=None, cached_statements=512
        )
        engine = create_engine("sqlite://", creator=lambda: self.raw, poolclass=StaticPool)
        self.ready = Awaited(self.raw, engine.connect())
        self.watched: Watched | None = None

    def begin(self) -> None:
        """Begin what `forget` takes back."""
        self.raw.execute("BEGIN")

    def forget(self) -> None:
        """Take back what was written since `begin`."""
        self.raw.execute("ROLLBACK")

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """Return the rows of a query of the simulation's own, which nothing disturbs."""
        return self.raw.execute(statement, parameters).fetchall()

    def before_read(self) -> None:
        """See `Watched`."""
        if self.watched is not None:
            self.watched.before_read(self.service)

    async def transact(self, work: Callable[[Transaction], Result]) -> Result:
        """Run `work` in a transaction, and commit it."""
        waits = None if self.watched is None else self.watched.before_write(self.service)
        after = None if waits is None else await waits
        result = self._run(work)
        if after is not None:
            after()
        return result

    def _run(self, work: Callable[[Transaction], Result]) -> Result:
        transaction = _Transaction(self.raw)
        try:
            result = work(transaction)
        except BaseException:
            if transaction.changes:
                self.take_back()
            raise
        if transaction.changes:
            self.keep()
        return result

    def keep(self) -> None:
        """Commit."""
        self.raw.execute("RELEASE here")
        if self.watched is not None:
            self.watched.committed(self.service)

    def take_back(self) -> None:
        """Roll back."""
        self.raw.execute("ROLLBACK TO here")
        self.raw.execute("RELEASE here")


class _Transaction:
    """See `Transaction`. `changes`: whether it has changed anything."""

    __slots__ = ("_execute", "_execute_many", "changes")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._execute_many = connection.executemany
        self.changes = False

    def all(self, statement: Prepared, parameters: Row) -> Sequence[Sequence[Any]]:
        return rows_of(self._execute, statement, parameters)

    def change(self, statement: Prepared, rows: Sequence[Row]) -> int:
        if not self.changes:
            self.changes = True
            self._execute("SAVEPOINT here")
        return self._execute_many(statement.text, statement.rows(rows)).rowcount


class Disks:
    """All databases, by the service in their URLs."""

    def __init__(self) -> None:
        self._disks: dict[str, Disk] = {}

    def __getitem__(self, service: str) -> Disk:
        disk = self._disks.get(service)
        if disk is None:
            disk = self._disks[service] = Disk(service)
        return disk

    def of(self, url: str) -> Disk:
        """Return the database of a URL."""
        return self[PurePath(make_url(url).database or "").stem]

    def each(self) -> list[Disk]:
        """Return all that were used."""
        return list(self._disks.values())

    def inline(self, url: str, _begin: str, _synchronous: str, _pace: Any = None) -> "Inline":
        """Make what stands in for `InlineSqlite`."""
        return Inline(self.of(url))

    def engines(self, url: str, _synchronous: str) -> "InPlaceOfEngines":
        """Make what stands in for `Engines`."""
        return InPlaceOfEngines(self.of(url))


class Inline(Port):
    """Stands in for `InlineSqlite`: the way to a disk."""

    path = "/simulated"

    def __init__(self, disk: Disk) -> None:
        self.disk = disk

    def close(self) -> None:
        """Leave the connection to the others."""

    def has_lost_its_files(self) -> bool:
        """Return False: there are none."""
        return False


AMONG = " IN (SELECT anon_1.value FROM json_each(?) AS anon_1)"
"""How `Database.among` is written: for a list of one, that takes five times what `= ?` does."""


@lru_cache(maxsize=256)
def _of_one(text: str) -> str:
    return text.replace(AMONG, " = ?")


def rows_of(execute: Callable[..., Any], statement: Prepared, parameters: Row) -> list[Any]:
    """Return the rows of a query."""
    if len(parameters) == 1 and AMONG in statement.text:
        (among,) = parameters.values()
        if len(among) == 1 and statement.text.count("?") == 1:
            found: list[Any] = execute(_of_one(statement.text), among).fetchall()
            return found
    rows: list[Any] = execute(statement.text, statement.arguments(parameters)).fetchall()
    return rows


class InPlaceOfEngines(Port):
    """Stands in for `Engines`: SQLAlchemy's own connection, without a thread."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.writer = self.reader = self

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["Awaited"]:
        """Open a write transaction; nobody else runs while it is open."""
        disk = self._disk
        waits = None if disk.watched is None else disk.watched.before_write(disk.service)
        after = None if waits is None else await waits
        disk.raw.execute("SAVEPOINT here")
        try:
            yield disk.ready
        except BaseException:
            disk.take_back()
            raise
        disk.keep()
        if after is not None:
            after()

    async def dispose(self) -> None:
        """Leave the connection to the others."""

    async def close(self) -> None:
        """Leave the connection to the others."""


class Awaited:
    """An `AsyncConnection` that is ready at once."""

    def __init__(self, raw: sqlite3.Connection, connection: Connection) -> None:
        self._raw = raw
        self._connection = connection
        self._known: dict[Any, _Query] = {}
        self._has_table = False

    async def execute(self, statement: Any, bound: Any = None) -> Any:
        """See `AsyncConnection`."""
        # What is bound is of a query that is built once.
        if not bound or not isinstance(statement, Select):
            return self._connection.execute(statement, bound)
        query = self._known.get(statement)
        if query is None:
            query = self._known[statement] = _Query(statement)
        return query.rows(self._raw, bound)

    async def scalar(self, *asked: Any) -> Any:
        """See `AsyncConnection`."""
        return self._connection.scalar(*asked)

    async def exec_driver_sql(self, *asked: Any) -> Any:
        """See `AsyncConnection`."""
        return self._connection.exec_driver_sql(*asked)

    async def run_sync(self, work: Callable[..., Any], *asked: Any) -> Any:
        """See `AsyncConnection`."""
        if work is not _has_table:
            return work(self._connection, *asked)
        # Asked before each look at failures, and a sixth of what that takes.
        if not self._has_table:
            self._has_table = bool(work(self._connection))
        return self._has_table


class _Query:
    """A query of SQLAlchemy's that is compiled once, and whose rows are named tuples."""

    def __init__(self, statement: Select[Any]) -> None:
        self._prepared = Prepared(statement, (), for_sqlite=True)
        names = [getattr(column, "name", "") for column in statement.selected_columns]
        named: Any = namedtuple("named", names, rename=True)  # type: ignore[misc]  # noqa: PYI024
        self._row = named._make

    def rows(self, raw: sqlite3.Connection, bound: Row) -> list[Any]:
        found = raw.execute(self._prepared.text, self._prepared.arguments(bound))
        return list(map(self._row, found))
