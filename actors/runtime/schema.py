"""Which schema a database has, and how an older one is brought up to it while others use it.

A change comes in two releases. The first expands: it adds what may be left out, so that the code of
the release before works on, beside the new one and after it. A later one contracts: it takes away
what no code of the release before it reads or writes. Each database says which schema it has, and
which code is the oldest that may use it; older code stays away.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, inspect, select, text

from actors.contracts.errors import SirenError, Unavailable
from actors.runtime.database import Database

TRIES, PAUSE_S = 5, 1.0
"""A change that a long transaction keeps out lets others through before it tries again."""
LOCK_KEY = 0x51E2
"""Services may share a server's database, and with it this table."""

metadata = MetaData()  # of its own: the tables of a service's metadata name its write lock

schemas = Table(
    "schemas",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("oldest_code", Integer, nullable=False),
)


@dataclass(frozen=True)
class Schema:
    """The schema that this code makes of a service's database, and needs of it.

    `version` counts the releases that changed it; `oldest_code` is the version of the oldest code
    that may use a database of this one. `steps` expand a database of an earlier version: each may
    be repeated, as after a crash.
    """

    name: str
    version: int
    oldest_code: int
    steps: Mapping[int, Callable[[Database], Awaitable[None]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Recorded:
    """What a database says of itself."""

    version: int
    oldest_code: int


async def add_column(database: Database, column: Column[Any]) -> None:
    """Add a column, which may be NULL, to a table that an earlier version created without."""

    def add(connection: Connection) -> None:
        present = {each["name"] for each in inspect(connection).get_columns(column.table.name)}
        if column.name not in present:
            kind = column.type.compile(connection.dialect)
            statement = f"ALTER TABLE {column.table.name} ADD COLUMN {column.name} {kind}"
            connection.execute(text(statement))

    async with database.change_schema() as connection:
        await connection.run_sync(add)


async def bring_up_to_date(database: Database, schema: Schema) -> None:
    """Create the tables that are missing, and expand those of an earlier version.

    Others may use the database meanwhile. Raises `SirenError` where a newer version has made it
    unfit for this code, and `Unavailable` where it cannot be changed: whatever is left then is
    done the next time.
    """
    await until_let_in(database, lambda: _bring_up_to_date(database, schema))


async def until_let_in(database: Database, change: Callable[[], Awaitable[None]]) -> None:
    """Change tables that others use, and try it again where a long transaction keeps it out.

    Raises `Unavailable` where that does not help.
    """
    for attempt in range(TRIES):
        try:
            await change()
        except Unavailable:
            if database.is_sqlite or attempt + 1 == TRIES:
                raise
            await asyncio.sleep(PAUSE_S)
        else:
            return


async def _bring_up_to_date(database: Database, schema: Schema) -> None:
    found = await recorded(database, schema.name)
    if found is not None:
        check_usable(schema.name, found, schema.version)
    await database.create_tables()
    if found is not None and found.version >= schema.version:
        return
    for version in sorted(schema.steps):
        if found is None or version > found.version:
            await schema.steps[version](database)
    await _record(database, schema)


def check_usable(name: str, found: Recorded, known: int) -> None:
    """Raise `SirenError` where code that knows version `known` may not use a database."""
    if found.oldest_code > known:
        detail = (
            f"the database of {name} has schema version {found.version}, which code older than "
            f"version {found.oldest_code} must not use; this version of siren knows {known}"
        )
        raise SirenError("database_too_new", detail)


async def recorded(database: Database, name: str) -> Recorded | None:
    """Return what a database says of one service; None where it says nothing yet."""
    async with database.read() as connection:
        if not await connection.run_sync(lambda sync: inspect(sync).has_table(schemas.name)):
            return None
        query = select(schemas.c.version, schemas.c.oldest_code).where(schemas.c.name == name)
        row = (await connection.execute(query)).one_or_none()
        return None if row is None else Recorded(row.version, row.oldest_code)


async def _record(database: Database, schema: Schema) -> None:
    async with database.change_schema() as connection:
        if not database.is_sqlite:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        await connection.run_sync(metadata.create_all)
        insert = database.insert(schemas)
        new = {"version": insert.excluded.version, "oldest_code": insert.excluded.oldest_code}
        upsert = insert.on_conflict_do_update(
            index_elements=["name"],
            set_=new,
            where=insert.excluded.version > schemas.c.version,  # two releases may start at once
        )
        row = {
            "name": schema.name,
            "version": schema.version,
            "oldest_code": schema.oldest_code,
        }
        await connection.execute(upsert, row)
