"""What a command asks of the databases before it works on them, and a way to read and never write.

A command reads where `siren up` may never have run, or runs now: nothing is created or locked.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, MetaData, event, inspect, make_url, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from actors.contracts.errors import Damaged, SirenError
from actors.order.journal_tables import JOURNAL_SCHEMA_VERSION, MAY_BE_MISSING, meta
from actors.runtime.database import Database
from actors.runtime.database_faults import file_of, is_damage, name_of, words_of
from actors.runtime.postgres_connections import engine_options
from actors.runtime.sqlite_opening import OPENING
from actors.settings import Service, Settings
from cluster.operations.database_urls import check_urls

CONNECT_S = 5.0
READ_S = 60.0
"""How long a server may take for a command; an audit reads thousands of rows with each."""


def check_files(settings: Settings, *services: Service) -> None:
    """Raise `SirenError` where a URL is wrong or a service's SQLite file is missing."""
    check_urls(settings)
    for service in services:
        file = file_of(settings.url(service))
        if file is not None and not file.is_file():
            detail = f"there is no database {file}: has `siren up` ever run on this folder?"
            raise SirenError("no_database", detail)


class ReadOnly:
    """A service's database, for reading alone: it refuses writes, and creates no file."""

    def __init__(self, url: str, metadata: MetaData) -> None:
        self.metadata = metadata
        self.name = name_of(url)
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            parsed = parsed.set(database=f"file:{quote(str(parsed.database))}")
            parsed = parsed.update_query_dict({"mode": "ro", "uri": "true"})
            self._engine = create_async_engine(parsed, hide_parameters=True, connect_args=OPENING)
            _begin_explicitly(self._engine.sync_engine)
        else:
            plain, options = engine_options(parsed, timeout=CONNECT_S, command_timeout=READ_S)
            self._engine = create_async_engine(
                plain,
                hide_parameters=True,
                isolation_level="REPEATABLE READ",
                execution_options={"postgresql_readonly": True},
                **options,
            )

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction on one consistent snapshot; raises `SirenError` where none is."""
        with _readable(self.name):
            async with self._engine.connect() as connection:
                yield connection

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


async def check_tables(database: Database | ReadOnly, *, whole: bool = False) -> None:
    """Raise `SirenError` where a database cannot be read, or is another version's.

    An earlier one lacks a table or a column of ours; a later one demands what we do not know.
    `whole`: also what only helps people, and what a journal may do without.
    """
    with _readable(database.name):
        async with database.read() as connection:
            present = await connection.run_sync(_columns, tuple(database.metadata.tables))
    tables = database.metadata.tables.items()
    ours = {
        name: set(table.c.keys())
        for name, table in tables
        if whole or name in present or not table.info.get(MAY_BE_MISSING)
    }
    if not present:
        detail = f"{database.name} has no table {min(ours)}: has `siren up` ever run on it?"
        raise SirenError("no_tables", detail)
    for name, columns in ours.items():
        known = present.get(name, {})
        if columns - known.keys():
            what = f"column {min(columns - known.keys())} of " if known else ""
            detail = f"{what}table {name} is missing: not yet upgraded; start `siren up` once"
            raise SirenError("not_upgraded", detail)
        foreign = [column for column, demanded in known.items() if demanded]
        if set(foreign) - columns:
            detail = f"table {name} was written by a newer version of siren: use that one"
            raise SirenError("written_by_newer", detail)


async def check_journal_version(journal: Database | ReadOnly) -> None:
    """Raise `SirenError` where a newer version of the code wrote the journal, or an older one."""
    query = select(meta.c.key, meta.c.value)
    with _readable(journal.name):
        async with journal.read() as connection:
            known = {row.key: row.value for row in await connection.execute(query)}
    found = int(known.get("schema_version", 0))
    if int(known.get("oldest_code", found)) > JOURNAL_SCHEMA_VERSION:
        detail = (
            f"the journal has schema version {found}, this siren knows {JOURNAL_SCHEMA_VERSION}: "
            "use the version that wrote it"
        )
        raise SirenError("journal_too_new", detail)
    if found < JOURNAL_SCHEMA_VERSION:
        detail = (
            f"the journal has schema version {found}, this siren writes {JOURNAL_SCHEMA_VERSION}: "
            "not yet upgraded; start `siren up` once"
        )
        raise SirenError("not_upgraded", detail)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except SirenError:
        raise
    except Exception as error:
        original = getattr(error, "orig", None) or error
        if is_damage(original):
            raise Damaged("database_damaged", words_of(error)) from error
        if not isinstance(error, DBAPIError | OSError) and not hasattr(original, "sqlstate"):
            raise
        detail = f"cannot read the database {name}: {words_of(error)}"
        raise SirenError("database_unreadable", detail) from error


def _begin_explicitly(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver alone would begin no transaction to read

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")


def _columns(connection: Connection, tables: tuple[str, ...]) -> dict[str, dict[str, bool]]:
    """Return the columns of those tables that exist; True where each row must have a value."""
    inspector = inspect(connection)
    return {
        name: {
            column["name"]: not column["nullable"] and column.get("default") is None
            for column in inspector.get_columns(name)
        }
        for name in set(tables) & set(inspector.get_table_names())
    }
