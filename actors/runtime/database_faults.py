"""What a database's errors mean: out of reach for the moment, or damaged, and which one it is.

Damage is told in the log, and noted in a file beside the database (`journal.db.damaged`), so that
every process of the system, and whoever looks after it, learns of it from whoever met it.
"""

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from actors.contracts.errors import Damaged, Unavailable, UnknownEvent
from actors.runtime.faults import FAULTS
from actors.runtime.unwritable import why_unwritable
from actors.settings import SERVICES, Service, Settings

# SQLSTATEs that are no fault of the statement: connection, conflict, resources, operator, system,
# a standby that only reads, a user or a database that the server does not know.
PASSING_STATES = ("08", "25006", "28", "3D", "40", "53", "55P03", "57", "58")
DAMAGED_STATE = "XX00"
UNREACHABLE = (OperationalError, InterfaceError, PoolTimeout, sqlite3.OperationalError, OSError)
DAMAGED_CODES = {
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_DATA,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
}
"""Beside SQLITE_CORRUPT and SQLITE_NOTADB in all their kinds."""
UNTOLD_CODES = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
"""Behind which SQLite does not say why: a system that only reads, a quota, a permission."""
PARTS = ("", "-wal", "-shm")
"""What the names of an SQLite database's files end in."""
ERRNO = re.compile(r"\[Errno -?\d+\] |<class '[^']*'>: ")
UNDECODABLE = "Could not decode to UTF-8"
QUOTING = " with text "
"""Behind it, such an error of SQLite's quotes the row."""
UNREADABLE = (
    msgspec.MsgspecError,
    UnknownEvent,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    RecursionError,
)
"""What a row raises that does not hold what its writer put there."""


def file_of(url: str) -> Path | None:
    """Return the file of an SQLite database; None for a server's."""
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def sqlite_files(settings: Settings) -> dict[Service, Path]:
    """Return the files of the services that are on SQLite."""
    files = {service: file_of(settings.url(service)) for service in SERVICES}
    return {service: file for service, file in files.items() if file is not None}


def name_of(url: str) -> str:
    """Return what operators call a database: its file, or server and name; no password."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return str(parsed.database)
    host = parsed.host or parsed.query.get("host") or "localhost"
    return f"PostgreSQL at {host}:{parsed.port or 5432}/{parsed.database}"


class DatabaseFaults:
    """Turns the errors of one database into `Unavailable`, or `Damaged`, with its name."""

    def __init__(self, url: str, is_current: Callable[[], bool]) -> None:
        self.name = name_of(url)
        self._is_current = is_current
        self._file = file_of(url)
        self.reached = _Guard(self._of_access)
        """Around statements."""
        self.readable = _Guard(self._of_row)
        """Around what makes rows into objects."""
        self.foldable = _Guard(self._of_order)
        """Around what makes an order of its rows: no other order is the worse for it."""

    def damaged(self, words: str) -> Damaged:
        """Note that the database is damaged, and return the error that says so."""
        # Of a file that has been replaced meanwhile there is nothing to note any more.
        if self._file is not None and self._is_current():
            note_damage(self._file, words)
        return Damaged("database_damaged", self._told(words))

    def unreadable(self, words: str) -> Damaged:
        """Return the error that says that some rows cannot be read, though their file can."""
        return Damaged("database_damaged", self._told(words))

    def _of_access(self, error: BaseException) -> Unavailable | None:
        original = getattr(error, "orig", None) or error
        sqlstate = getattr(original, "sqlstate", None) or ""
        words = words_of(error)
        if is_damage(original):
            return self.damaged(words)
        cut_off = isinstance(error, DBAPIError) and error.connection_invalidated
        if isinstance(error, UNREACHABLE) or cut_off or sqlstate.startswith(PASSING_STATES):
            return Unavailable("database_unavailable", self._told(words + self._why(original)))
        return None

    def _why(self, error: object) -> str:
        """Return what the system says of a file that SQLite could not write, "" where nothing."""
        code = getattr(error, "sqlite_errorcode", None)
        if self._file is None or code is None or code & 0xFF not in UNTOLD_CODES:
            return ""
        why = why_unwritable(self._file)
        return "" if why is None else f": {why}"

    def _of_row(self, error: BaseException) -> Unavailable | None:
        if isinstance(error, UNREADABLE):
            return self.damaged(f"a row cannot be read ({type(error).__name__})")
        return None

    def _of_order(self, error: BaseException) -> Unavailable | None:
        if isinstance(error, (*UNREADABLE, AttributeError)):
            return self.unreadable(f"an order cannot be folded ({type(error).__name__})")
        return None

    def _told(self, words: str) -> str:
        """Tell what is wrong with this database, and return it with its name."""
        FAULTS.note(self.name if self._file is None else self._file.name, words)
        return f"{self.name}: {words}"


class _Guard:
    """A context manager that raises another error in the place of those that it knows."""

    def __init__(self, translate: Callable[[BaseException], Unavailable | None]) -> None:
        self._translate = translate

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, Unavailable):
            return
        translated = self._translate(error)
        if translated is not None:
            raise translated from error


def is_damage(error: object) -> bool:
    """Return whether a driver's error says that what is stored is no longer what was written."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        primary = code & 0xFF
        return primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or code in DAMAGED_CODES
    if isinstance(error, sqlite3.Error):
        return str(error).startswith(UNDECODABLE)
    return str(getattr(error, "sqlstate", None) or "").startswith(DAMAGED_STATE)


def _note_of(file: Path) -> Path:
    return file.with_name(file.name + ".damaged")


def note_damage(file: Path, words: str) -> None:
    """Note beside a database's file what is wrong with it, unless something is noted already."""
    with suppress(OSError):  # a full disk, say; the log has it
        note = os.open(_note_of(file), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(note, "w") as text:
            text.write(f"{words} (found {datetime.now(UTC):%Y-%m-%d %H:%M:%SZ})\n")


def noted_damage(file: Path) -> str | None:
    """Return what was noted of a database's file, None where nothing was."""
    try:
        return _note_of(file).read_text().strip() or "damaged"
    except OSError:
        return None


def forget_damage(file: Path) -> None:
    """Take the note away: the file was looked through, or replaced."""
    with suppress(OSError):
        _note_of(file).unlink()


def aside_of(file: Path) -> Path:
    """Return a name beside a file that nothing uses."""
    return file.with_name(f"{file.name}.set-aside-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")


def set_aside(file: Path) -> Path:
    """Move a database's file, its log and its index of that away; return where the file is now."""
    aside = aside_of(file)
    for end in PARTS:
        with suppress(FileNotFoundError):
            file.with_name(file.name + end).rename(aside.with_name(aside.name + end))
    return aside


def words_of(error: BaseException) -> str:
    """Return what a driver's error says: one line, in words, without any row's content."""
    original: BaseException = getattr(error, "orig", None) or error
    if isinstance(original, TimeoutError | PoolTimeout):
        return "no answer in time"
    line = str(original).partition("\n")[0].partition(QUOTING)[0]
    return ERRNO.sub("", line) or type(original).__name__


def damaged_databases(settings: Settings) -> dict[Service, str]:
    """Return what was noted of the databases that are damaged, by the service."""
    notes = {service: noted_damage(file) for service, file in sqlite_files(settings).items()}
    return {service: note for service, note in notes.items() if note is not None}
