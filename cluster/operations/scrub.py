"""Leaving nothing of what was erased in a database's files, its write-ahead log included."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from actors.contracts.errors import SirenError
from actors.order.journal_tables import events, order_private
from actors.runtime.database_faults import name_of, words_of
from actors.runtime.postgres_connections import engine_options
from actors.settings import Service, Settings
from actors.store.tables import tickets
from readmodel.tables import order_detail

HOLDERS: dict[Service, tuple[str, ...]] = {
    # Events hold nothing personal, but those that an upgrade rewrote did, and left it behind.
    "journal": (order_private.name, events.name),
    "stores": (tickets.name,),
    "readmodel": (order_detail.name,),
}
"""The databases that hold personal data, and the tables that do."""
PATIENCE_S = 60.0
POLL_S = 0.05


async def scrub(settings: Settings, progress: Callable[[str, int, int], None]) -> tuple[str, ...]:
    """Write the databases anew, without what no row holds any more; return their names.

    The system may run: writing waits meanwhile. Raises `SirenError` where it cannot be done now.
    """
    for done, (service, tables) in enumerate(HOLDERS.items()):
        progress("scrubbing databases", done, len(HOLDERS))
        url = make_url(settings.url(service))
        if url.get_backend_name() == "sqlite":
            await asyncio.to_thread(_scrub_sqlite, Path(str(url.database)))
            if service == "readmodel":
                _delete_set_aside(Path(str(url.database)))
        else:
            await _scrub_postgres(settings.url(service), tables)
    progress("scrubbing databases", len(HOLDERS), len(HOLDERS))
    return tuple(HOLDERS)


def _scrub_sqlite(path: Path) -> None:
    """Copy what is there into new pages, and empty the write-ahead log."""
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)) as database:
            database.execute("PRAGMA secure_delete = ON")
            database.execute("VACUUM")
            deadline = time.monotonic() + PATIENCE_S
            # Whoever reads an older page keeps the log from being emptied, for a moment.
            while database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > deadline:
                    raise sqlite3.OperationalError("somebody has been reading all the time")
                time.sleep(POLL_S)
    except sqlite3.Error as error:
        raise _not_scrubbed(str(path), str(error)) from error


def _not_scrubbed(name: str, words: str) -> SirenError:
    detail = f"cannot scrub {name}: {words}; names may be left in it, repeat it"
    return SirenError("not_scrubbed", detail)


def _delete_set_aside(view: Path) -> None:
    """Delete damaged views that were set aside: they hold names, and nothing of their own."""
    for part in view.parent.glob(f"{view.name}.set-aside-*"):
        part.unlink(missing_ok=True)


async def _scrub_postgres(url: str, tables: tuple[str, ...]) -> None:
    """Write the tables anew, and what the planner noted of them: samples of their values."""
    plain, options = engine_options(make_url(url))
    engine = create_async_engine(
        plain, isolation_level="AUTOCOMMIT", hide_parameters=True, **options
    )
    try:
        async with engine.connect() as connection:
            for table in tables:
                await connection.execute(text(f"VACUUM (FULL, ANALYZE) {table}"))
            await connection.execute(text("VACUUM (FULL) pg_catalog.pg_statistic"))
            await connection.execute(text("CHECKPOINT"))
    except (DBAPIError, OSError) as error:
        raise _not_scrubbed(name_of(url), words_of(error)) from error
    finally:
        await engine.dispose()
