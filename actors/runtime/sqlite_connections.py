"""SQLite as every service uses it: its settings, and transactions on the event loop itself.

No thread and nothing of SQLAlchemy in between. `Database` says who may write when.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, event, make_url

from actors.runtime.batching import Pace
from actors.runtime.sqlite_opening import OPENING
from actors.runtime.statements import Prepared, Row, Transaction
from actors.runtime.syncing import sync, sync_names

Result = TypeVar("Result")

POOL: dict[str, Any] = {
    "max_overflow": 0,
    # Parameters hold names and phone numbers: they must not reach a log by way of an error.
    "hide_parameters": True,
    "connect_args": OPENING,
}
BUSY_TIMEOUT_S = 5
BLOCKED_S = 2.0
"""The same where the event loop waits along, as for a file that is being opened."""
LOCK_LOOK_S = 0.005
"""How often a lock that somebody else holds is looked at."""
CACHE_KIB = 32 * 1024
CHECKPOINT_PAGES = 4000
"""Pages in the write-ahead log before they are copied into the database: 16 MiB. By then many of
them are newer versions of each other, and only the newest is copied."""
MEASURE_EVERY = 16
"""Of so many commits beside the event loop one is on it: only there it shows what they take."""

FileId = tuple[int, int] | None
"""Device and inode; None where there is no file."""


class InlineSqlite:
    """One connection for transactions that run on the event loop. Not connected before its use.

    Raises SQLite's own errors, which `DatabaseFaults` tells apart.
    """

    def __init__(self, url: str, begin: str, synchronous: str, pace: Pace | None = None) -> None:
        self._pace = pace or Pace()
        self.path = make_url(url).database or ""
        self._files: tuple[FileId, ...] | None = None
        self._begin = begin
        self._synchronous = synchronous
        self._connection: sqlite3.Connection | None = None
        self._committer: ThreadPoolExecutor | None = None
        self._aside = 0

    async def begin(self) -> None:
        """Begin the transaction of the next `run`; where another holds the lock, the loop goes on.

        After `BUSY_TIMEOUT_S` it raises what SQLite raises.
        """
        connection = self._connection or self._connect(for_writing=True)
        deadline: float | None = None
        while True:
            try:
                connection.execute(self._begin)
            except sqlite3.OperationalError as error:
                now = time.monotonic()
                deadline = now + BUSY_TIMEOUT_S if deadline is None else deadline
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or now >= deadline:
                    raise
            else:
                return
            await asyncio.sleep(LOCK_LOOK_S)

    def run(self, work: Callable[[Transaction], Result]) -> Result:
        """Run `work` in a transaction, which is rolled back where it fails; return its result."""
        with self._begun() as connection:
            result = work(_SqliteTransaction(connection))
            began = time.perf_counter()
            connection.execute("COMMIT")
            self._pace.note(time.perf_counter() - began)
        return result

    async def run_aside(self, work: Callable[[Transaction], Result]) -> Result:
        """Run `work` as `run` does, but let the event loop go on while the disk works.

        For slow disks: on a quick one the thread costs more than it gives. Nobody else may use
        the connection meanwhile, and who is cancelled ends only after the commit.
        """
        self._aside += 1
        if self._aside % MEASURE_EVERY == 0:
            return self.run(work)
        if self._committer is None:
            # Of its own: the lock of the database must not wait behind what else blocks a thread.
            self._committer = ThreadPoolExecutor(1, "commit")
        with self._begun() as connection:
            result = work(_SqliteTransaction(connection))
            loop = asyncio.get_running_loop()
            # Not measured: while the loop is busy, Python lets the thread wait before it goes on,
            # so that a disk that is quick again would not be seen to be.
            commit = loop.run_in_executor(self._committer, connection.execute, "COMMIT")
            given_up = None
            while not commit.done():
                try:
                    await asyncio.wait({commit})
                except asyncio.CancelledError as cancelled:
                    given_up = cancelled
            commit.result()
        if given_up is not None:
            raise given_up
        return result

    @contextmanager
    def _begun(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection or self._connect()
        if not connection.in_transaction:
            connection.execute(self._begin)
        try:
            yield connection
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if self._files is None:  # the log is there by now
            self._files = self._find_files()

    def has_lost_its_files(self) -> bool:
        """Return whether the database or its log is another file than the one that is open."""
        return self._files is not None and self._files != self._find_files()

    def _find_files(self) -> tuple[FileId, ...]:
        return tuple(file_id(self.path + end) for end in ("", "-wal", "-shm"))

    def fetch(self, statement: Prepared, parameters: Row) -> Sequence[Sequence[Any]]:
        """Return the rows of one query, outside a transaction."""
        return _SqliteTransaction(self._connection or self._connect()).all(statement, parameters)

    def close(self) -> None:
        """Close the connection; the next use opens another one."""
        if self._committer is not None:
            self._committer.shutdown()
            self._committer = None
        if self._connection is not None:
            self._connection.close()
            self._connection = self._files = None

    def _connect(self, *, for_writing: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        _configure(connection, self._synchronous, min(BLOCKED_S, BUSY_TIMEOUT_S))
        _sync_log(self.path)
        if for_writing:  # see `begin`
            connection.execute("PRAGMA busy_timeout=0")
        self._connection = connection
        return connection


class _SqliteTransaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self, statement: Prepared, parameters: Row) -> Sequence[Sequence[Any]]:
        return self._connection.execute(statement.text, statement.arguments(parameters)).fetchall()

    def change(self, statement: Prepared, rows: Sequence[Row]) -> int:
        return self._connection.executemany(statement.text, statement.rows(rows)).rowcount


def file_id(path: str) -> FileId:
    """Return which file is at a path."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a third of the time of Path's
    except OSError:
        return None
    return found.st_dev, found.st_ino


def configure_engine(engine: Engine, begin: str, synchronous: str) -> None:
    """Let an engine's connections have our settings, and begin transactions with `begin`."""

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        # The driver's own transaction handling begins too late and never IMMEDIATE.
        connection.isolation_level = None
        _configure(connection, synchronous, BUSY_TIMEOUT_S)
        _sync_log(engine.url.database or "")

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Any) -> None:
        connection.exec_driver_sql(begin)


def _configure(connection: Any, synchronous: str, busy_timeout_s: float) -> None:
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={busy_timeout_s * 1000:.0f}",
        "journal_mode=WAL",
        f"synchronous={synchronous}",
        f"cache_size=-{CACHE_KIB}",
        f"wal_autocheckpoint={CHECKPOINT_PAGES}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sync_log(path: str) -> None:
    """Let be on disk what a process had written and not synced when it died.

    SQLite shows that to whoever opens the database next, and syncs it no sooner than the next
    commit: what was answered from it could be gone after a power cut.
    """
    log = Path(f"{path}-wal")
    with suppress(FileNotFoundError):
        sync(log)
        sync_names(log.parent)
