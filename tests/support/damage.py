"""Ways in which a database file comes to harm. Each takes the file of a database at rest."""

import sqlite3
from contextlib import closing
from pathlib import Path

from cluster.running.lost_logs import log_of

INTERIOR_TABLE, INTERIOR_INDEX = 0x05, 0x02
RIGHTMOST_AT = 8
CELLS_AT = 12  # behind the header of an interior page


def empty_log(file: Path) -> sqlite3.Connection:
    """Bring into a database what its write-ahead log still has of it, and return a connection."""
    database = sqlite3.connect(file)
    (busy, _, _) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not busy
    return database


def zero_leaf(file: Path, name: str, *, last: bool = False) -> None:
    """Zero the first leaf page of a table or an index, or the last one."""
    with closing(empty_log(file)) as database:
        (size,) = database.execute("PRAGMA page_size").fetchone()
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        (page,) = database.execute(query, [name]).fetchone()
    content = file.read_bytes()
    assert page > 1
    while content[start := (page - 1) * size] in (INTERIOR_TABLE, INTERIOR_INDEX):
        if last:
            page = int.from_bytes(content[start + RIGHTMOST_AT : start + CELLS_AT], "big")
            continue
        cell = start + int.from_bytes(content[start + CELLS_AT : start + CELLS_AT + 2], "big")
        page = int.from_bytes(content[cell : cell + 4], "big")
    with file.open("r+b") as opened:  # in its place: a system may be running on it
        opened.seek(start)
        opened.write(bytes(size))


def zero_header(file: Path) -> None:
    """Zero the first page, which says that this is a database, and what is in it."""
    empty_log(file).close()
    content = file.read_bytes()
    file.write_bytes(bytes(4096) + content[4096:])


def truncate(file: Path) -> None:
    """Cut the second half off."""
    empty_log(file).close()
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.truncate(size // 2 // 4096 * 4096)


def garbage_log(file: Path) -> None:
    """Put garbage in the place of the write-ahead log."""
    log_of(file).write_bytes(b"no log at all " * 1000)


def change(file: Path, statement: str) -> None:
    """Change rows as no code of ours would."""
    with closing(sqlite3.connect(file)) as database, database:
        assert database.execute(statement).rowcount > 0
