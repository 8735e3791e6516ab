"""What a command asks of the databases before it works on them, and a way to read and never write.

A command reads where `siren up` may never have run, or runs now: nothing is created or locked.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, MetaData, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from actors.database import Database
from actors.domain.errors import SirenError
from actors.settings import Service, Settings


def check_url(settings: Settings) -> None:
    """Raise `SirenError` unless the database URL, where there is one, is one that we can use."""
    if settings.database_url is None:
        return
    try:
        driver = make_url(settings.database_url.get_secret_value()).drivername
    except (ArgumentError, ValueError):  # whose text may have a part of the password
        driver = ""
    if driver != "postgresql+asyncpg":
        detail = "SIREN_DATABASE_URL must look like postgresql+asyncpg://user@host/name"
        raise SirenError("wrong_database_url", detail)


def check_files(settings: Settings, *services: Service) -> None:
    """Raise `SirenError` where the URL is wrong or a service's SQLite file is missing."""
    check_url(settings)
    for service in services:
        url = make_url(settings.url(service))
        if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
            detail = f"there is no database {url.database}: has `siren up` ever run on this folder?"
            raise SirenError("no_database", detail)


class ReadOnly:
    """A service's database, for reading alone: it refuses writes, and creates no file."""

    def __init__(self, url: str, metadata: MetaData) -> None:
        self.metadata = metadata
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            parsed = parsed.set(database=f"file:{quote(str(parsed.database))}")
            parsed = parsed.update_query_dict({"mode": "ro", "uri": "true"})
            self._engine = create_async_engine(parsed, hide_parameters=True)
            _begin_explicitly(self._engine.sync_engine)
        else:
            self._engine = create_async_engine(
                parsed,
                hide_parameters=True,
                isolation_level="REPEATABLE READ",
                execution_options={"postgresql_readonly": True},
            )

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction on one consistent snapshot; raises `SirenError` where none is."""
        with _readable():
            async with self._engine.connect() as connection:
                yield connection

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


async def check_tables(database: Database | ReadOnly) -> None:
    """Raise `SirenError` where the database cannot be read or lacks one of its tables."""
    with _readable():
        async with database.read() as connection:
            present = await connection.run_sync(_table_names)
    missing = ", ".join(sorted(set(database.metadata.tables) - present))
    if missing:
        detail = f"the database has no table {missing}: has `siren up` ever run on it?"
        raise SirenError("no_tables", detail)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, OSError) as error:
        reason = str(getattr(error, "orig", error)).partition("\n")[0]
        raise SirenError("database_unreadable", f"cannot read the database: {reason}") from error


def _begin_explicitly(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver alone would begin no transaction to read

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")


def _table_names(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())
