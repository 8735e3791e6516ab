"""Looks at the SQLite files before anything is built on them. Changes none that cannot be rebuilt.

What is damaged is noted beside its file, told, and refused, unless its owner says that the rest
shall be served; so is what would be taken for a new installation, although orders are known
elsewhere. A damaged view is folded anew.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from actors.contracts.errors import SirenError
from actors.runtime.database_faults import (
    PARTS,
    forget_damage,
    is_damage,
    note_damage,
    noted_damage,
    set_aside,
    sqlite_files,
)
from actors.settings import Service, Settings
from cluster.running.lost_logs import keep_log, lost_log

QUICK_S = 2.0
"""How long the start waits for all files to be looked through, at most."""
STEPS = 10_000  # of SQLite's virtual machine between two looks at the clock
FOUND = 5
HOLDING: dict[Service, str] = {
    "journal": "events",
    "payments": "payments",
    "provider": "charges",
    "stores": "tickets",
}
"""The table of each service that has rows as soon as there are orders; the view is derived."""
VIEW: Service = "readmodel"

Report = Callable[[str], None]


def check_files(settings: Settings, report: Report, *, despite_damage: bool = False) -> None:
    """Look at all files, for `QUICK_S` at most; larger ones are gone through in the background.

    One of which damage is noted is looked through to its end. Raises `SirenError` where a file is
    damaged: with `despite_damage` only where the journal cannot be read at all. Also where a file
    is gone or empty although another one knows of orders, or where in its place is no file.
    """
    present = sqlite_files(settings)
    for file in present.values():
        _refuse_what_is_no_file(file)
    if not any(has_content(file) for file in present.values()):
        return
    for service, file in present.items():  # before anything opens them: SQLite would write over it
        _look_at_log(file, report, refuse=service != VIEW and not despite_damage)
    _refuse_what_is_gone(present)
    deadline = time.monotonic() + QUICK_S
    unfinished = []
    for service, file in present.items():
        if not has_content(file):
            continue
        words = quick_check(file, None if noted_damage(file) else deadline)
        if words is None:
            unfinished.append(file)
            continue
        _tell(file, words, report)
        if words:
            _put_aside_or_refuse(service, file, words, report, despite_damage=despite_damage)
    if unfinished:
        names = ", ".join(file.name for file in unfinished)
        report(f"looking {names} through for damage, in the background")
        threading.Thread(target=_look_through, args=(unfinished, report), daemon=True).start()


def quick_check(file: Path, deadline: float | None = None) -> str | None:
    """Return what is wrong with a file, "" where nothing is.

    None where nobody can tell: there was no time, or somebody else holds it.
    """
    timed_out = False

    def look_at_the_clock() -> bool:
        nonlocal timed_out
        timed_out = deadline is not None and time.monotonic() > deadline
        return timed_out

    try:
        with closing(_open(file, "ro")) as database:
            database.set_progress_handler(look_at_the_clock, STEPS)
            rows = database.execute(f"PRAGMA quick_check({FOUND})").fetchall()
    except sqlite3.Error as error:
        return str(error) if is_damage(error) and not timed_out else None
    words = [str(row[0]) for row in rows]
    return "" if words == ["ok"] else "; ".join(" ".join(each.split()) for each in words)


def _look_through(files: list[Path], report: Report) -> None:
    for file in files:
        words = quick_check(file)
        _tell(file, words or "", report)


def _tell(file: Path, words: str, report: Report) -> None:
    if words:
        note_damage(file, words)
        report(f"{file} IS DAMAGED: {words}")
    else:
        forget_damage(file)


def _look_at_log(file: Path, report: Report, *, refuse: bool) -> None:
    words = lost_log(file)
    if not words:
        return
    if refuse:
        raise _damaged(file, words)
    report(f"{file} IS DAMAGED: {words}; a copy is kept as {keep_log(file).name}")


def _put_aside_or_refuse(
    service: Service, file: Path, words: str, report: Report, *, despite_damage: bool
) -> None:
    opens = _opens(file)
    if service == VIEW:
        if not opens:
            report(f"{file} was set aside as {set_aside(file).name}; the view is folded anew")
            forget_damage(file)
    elif service == "journal" and not opens:
        detail = f"{file} cannot be read: {words}. It was not changed: restore it from a backup"
        raise SirenError("journal_damaged", detail)
    elif not despite_damage:
        raise _damaged(file, words)


def _damaged(file: Path, words: str) -> SirenError:
    detail = (
        f"{file} is damaged: {words}. Nothing was changed: restore it from a backup, or start with "
        "--despite-damage to serve all that is elsewhere"
    )
    return SirenError("database_damaged", detail)


def _refuse_what_is_no_file(file: Path) -> None:
    for part in (file.with_name(file.name + end) for end in PARTS):
        if part.exists() and not part.is_file():
            what = "a folder" if part.is_dir() else "no file"
            detail = f"{part} is {what}, where the database {file.name} should be: move it away"
            raise SirenError("no_database_file", detail)


def _refuse_what_is_gone(files: dict[Service, Path]) -> None:
    gone = [
        files[service]
        for service in HOLDING
        if service in files and not has_content(files[service])
    ]
    known = [files[s] for s, table in HOLDING.items() if s in files and has_rows(files[s], table)]
    if gone and known:
        detail = (
            f"{', '.join(map(str, gone))} is missing or empty, although {known[0].name} knows of "
            "orders: restore it from a backup, or move all of them away to begin anew"
        )
        raise SirenError("database_missing", detail)


def _open(file: Path, mode: str = "rw") -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file))}?mode={mode}", uri=True, isolation_level=None)


def _opens(file: Path) -> bool:
    """Return whether a file can be opened as a database at all."""
    try:
        with closing(_open(file)) as database:
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return not is_damage(error)
    return True


def has_content(file: Path) -> bool:
    """Return whether there is anything at all in a file."""
    return file.exists() and file.stat().st_size > 0


def has_rows(file: Path, table: str) -> bool:
    """Return whether a table of ours has rows, or may have had some: its file is damaged."""
    if not has_content(file):
        return False
    try:
        with closing(_open(file)) as database:
            return database.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None  # noqa: S608 - a name of ours
    except sqlite3.Error as error:
        return is_damage(error)  # it was not empty, once
