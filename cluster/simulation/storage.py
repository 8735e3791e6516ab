"""The databases: production's statements on SQLite in memory, with faults around each commit.

Stands in for `InlineSqlite` and `Engines`; `Database` above them is production's. One connection a
database for all processes: transactions run one at a time here, as they do on any disk. What a
schedule has written is rolled back after it.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import PurePath
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.pool import StaticPool

from actors.order.journal_failures import _has_table
from actors.runtime.statements import Prepared, Row, Transaction
from cluster.simulation.ports import Port

Result = TypeVar("Result")


class Watched(Protocol):
    """What is asked before anything is read or written, and told after it was."""

    async def before_write(self, service: str) -> Callable[[], None]:
        """Wait, or fail; return what happens once it is committed, which may fail, too."""

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


class Disk:
    """One service's database, for as many processes as there are."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.raw = sqlite3.connect(
            ":memory:", factory=_Connection, isolation_level=None, cached_statements=512
        )
        engine = create_engine("sqlite://", creator=lambda: self.raw, poolclass=StaticPool)
        self.alchemy: Connection = engine.connect()
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

    async def before_write(self) -> Callable[[], None]:
        """See `Watched`."""
        return _nothing if self.watched is None else await self.watched.before_write(self.service)

    def before_read(self) -> None:
        """See `Watched`."""
        if self.watched is not None:
            self.watched.before_read(self.service)

    def run(self, work: Callable[[Any], Result]) -> Result:
        """Run `work` in a transaction, and commit it."""
        raw = self.raw
        raw.execute("SAVEPOINT here")
        try:
            result = work(_Transaction(raw))
        except BaseException:
            raw.execute("ROLLBACK TO here")
            raise
        finally:
            raw.execute("RELEASE here")
        if self.watched is not None:
            self.watched.committed(self.service)
        return result


def _nothing() -> None:
    pass


class _Transaction:
    """See `Transaction`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self, statement: Prepared, parameters: Row) -> Sequence[Sequence[Any]]:
        return self._connection.execute(statement.text, statement.arguments(parameters)).fetchall()

    def change(self, statement: Prepared, rows: Sequence[Row]) -> int:
        return self._connection.executemany(statement.text, statement.rows(rows)).rowcount


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
    """Stands in for `InlineSqlite`."""

    path = "/simulated"

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._after: Callable[[], None] = _nothing

    async def begin(self) -> None:
        """Wait for the transaction's turn."""
        self._after = await self._disk.before_write()

    def run(self, work: Callable[[Transaction], Result]) -> Result:
        """Run `work` in a transaction, which is rolled back where it fails; return its result."""
        after, self._after = self._after, _nothing
        result = self._disk.run(work)
        after()
        return result

    def fetch(self, statement: Prepared, parameters: Row) -> Sequence[Sequence[Any]]:
        """Return the rows of one query."""
        self._disk.before_read()
        return _Transaction(self._disk.raw).all(statement, parameters)

    def has_lost_its_files(self) -> bool:
        """Return False: there are none."""
        return False

    def close(self) -> None:
        """Leave the connection to the others."""


class InPlaceOfEngines(Port):
    """Stands in for `Engines`: SQLAlchemy's own connection, without a thread."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.writer = self.reader = self

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["_Awaited"]:
        """Open a write transaction; nobody else runs while it is open."""
        after = await self._disk.before_write()
        raw = self._disk.raw
        raw.execute("SAVEPOINT here")
        try:
            yield _Awaited(self._disk.alchemy)
        except BaseException:
            raw.execute("ROLLBACK TO here")
            raise
        finally:
            raw.execute("RELEASE here")
        if self._disk.watched is not None:
            self._disk.watched.committed(self._disk.service)
        after()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["_Awaited"]:
        """Open a read transaction."""
        self._disk.before_read()
        yield _Awaited(self._disk.alchemy)

    async def dispose(self) -> None:
        """Leave the connection to the others."""

    async def close(self) -> None:
        """Leave the connection to the others."""


class _Awaited:
    """An `AsyncConnection` that is ready at once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(self, *asked: Any) -> Any:
        return self._connection.execute(*asked)

    async def scalar(self, *asked: Any) -> Any:
        return self._connection.scalar(*asked)

    async def exec_driver_sql(self, *asked: Any) -> Any:
        return self._connection.exec_driver_sql(*asked)

    async def run_sync(self, work: Callable[..., Any], *asked: Any) -> Any:
        if work is not _has_table:
            return work(self._connection, *asked)
        # Asked before each look at failures, and a sixth of what that takes.
        if self._connection not in _KNOWN_TO_HAVE and work(self._connection):
            _KNOWN_TO_HAVE.add(self._connection)
        return self._connection in _KNOWN_TO_HAVE


_KNOWN_TO_HAVE: set[Connection] = set()
