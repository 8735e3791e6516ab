"""The files of a data folder: whole copies of them, and what stands in them byte by byte."""

import sqlite3
from contextlib import closing
from pathlib import Path


def copy_database(source: Path, target: Path) -> None:
    """Put what is in one database, or only in its log, in place of what is in another.

    A log may be left when a system has ended: a query that was given up keeps its connection open
    until somebody collects what remained of it.
    """
    with closing(sqlite3.connect(source)) as found, closing(sqlite3.connect(target)) as copy:
        found.backup(copy)


def found(folder: Path, *secrets: str) -> set[tuple[str, str]]:
    """Return which of some texts stand anywhere in which file, as bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return {
        (path.name, secret)
        for path in files
        for secret in secrets
        if secret.encode() in path.read_bytes()
    }
