"""How SQLAlchemy's engines open an SQLite file, for databases that may not open."""

import sqlite3
from typing import Any

import aiosqlite


async def open_sqlite(*place: Any, **options: Any) -> aiosqlite.Connection:
    """Return a connection, as aiosqlite's own `connect` does; raises `sqlite3.Error`.

    Where it cannot be opened its thread has ended, too: it would else tell a loop that may be
    closed by then, and print a traceback for that.
    """
    connection = aiosqlite.connect(*place, **options)
    thread = connection._thread  # noqa: SLF001 - SQLAlchemy makes it one, too
    thread.daemon = True
    try:
        return await connection
    except sqlite3.Error:
        thread.join()
        raise


OPENING = {"async_creator_fn": open_sqlite}
"""The `connect_args` of an engine of SQLAlchemy's."""
