"""The view's tables: one row an order, and how far into the journal the rows reach."""

import uuid

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import DropTable

from actors.contracts.errors import Conflict
from actors.runtime.database import Database
from actors.runtime.schema import Schema, add_column, bring_up_to_date

LIVE = "order_detail"
SHADOW = "order_detail_rebuild"
FILTERS = ("customer_id", "store_id", "order_status")

metadata = MetaData()


def _detail_table(name: str, metadata: MetaData, index_prefix: str) -> Table:
    return Table(
        name,
        metadata,
        # The journal position of OrderPlaced: newest first is highest first, and it never changes.
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        Column("order_id", String(64), nullable=False, unique=True),
        Column("version", Integer, nullable=False),
        Column("customer_id", String(64), nullable=False),
        Column("store_id", String(64), nullable=False),
        Column("order_status", String(16), nullable=False),
        Column("position", BigInteger, nullable=False),  # of the last event folded in
        Column("body", Text, nullable=False),  # the order detail, response-ready JSON
        *(Index(f"{index_prefix}_by_{column}", column, "seq") for column in FILTERS),
    )


order_detail = _detail_table(LIVE, metadata, LIVE)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("position", BigInteger, nullable=False),  # the last one folded in; 0 before any
    # What stood there (see `projection.mark`): a journal that was set back gives positions out
    # again. NULL where no event was folded in yet, or by code that did not note it.
    Column("event", Text, nullable=True),
)


async def _add_event(database: Database) -> None:
    """Version 2 has it: which event was folded in last."""
    await add_column(database, checkpoint.c.event)


SCHEMA = Schema("readmodel", version=2, oldest_code=1, steps={2: _add_event})


def open_database(url: str) -> Database:
    """Return the read model's database."""
    # A lost commit takes its checkpoint along and is folded again: no need to wait for the disk.
    return Database(url, metadata, synchronous="NORMAL")


async def create_tables(url: str) -> None:
    """Create what is missing of an empty view, so that reading works before anything is folded."""
    database = open_database(url)
    try:
        await bring_up_to_date(database, SCHEMA)
        async with database.write() as connection:
            start = database.insert(checkpoint).on_conflict_do_nothing()
            await connection.execute(start, {"name": LIVE, "position": 0})
    finally:
        await database.close()


async def create_shadow(database: Database) -> Table:
    """Create an empty table beside the view, with a checkpoint of its own, named `SHADOW`.

    What a rebuild that died left behind is dropped.
    """
    # Indexes keep their names when the table takes the view's place, so no two may share one.
    shadow = _detail_table(SHADOW, MetaData(), f"{LIVE}_{uuid.uuid4().hex}")
    async with database.write() as connection:
        await _drop_shadow(connection)
        await connection.run_sync(shadow.create)
        await connection.execute(checkpoint.insert(), {"name": SHADOW, "position": 0})
    return shadow


async def drop_shadow(database: Database) -> None:
    """Drop what a rebuild has made so far; one that still runs ends with `Conflict`."""
    async with database.write() as connection:
        await _drop_shadow(connection)


async def _drop_shadow(connection: AsyncConnection) -> None:
    await connection.execute(delete(checkpoint).where(checkpoint.c.name == SHADOW))
    await connection.execute(text(f"DROP TABLE IF EXISTS {SHADOW}"))


async def swap(database: Database, *, follows: bool = True) -> bool:
    """Put the shadow in the view's place, unless the view has got ahead of it.

    Where the view does not follow the journal that the shadow was folded from, it is not ahead,
    however far it is. One transaction: readers see the old rows, or all of the new ones. Raises
    `Conflict` where another rebuild was faster.
    """
    async with database.write() as connection:
        found = await connection.execute(select(checkpoint.c.name, checkpoint.c.position))
        positions = {row.name: row.position for row in found}
        if SHADOW not in positions:
            raise Conflict("rebuild_overtaken", "Another rebuild replaced the view first.")
        if follows and positions[SHADOW] < positions.get(LIVE, 0):
            return False
        await connection.execute(DropTable(order_detail))
        await connection.execute(text(f"ALTER TABLE {SHADOW} RENAME TO {LIVE}"))
        await connection.execute(delete(checkpoint).where(checkpoint.c.name == LIVE))
        mine = update(checkpoint).where(checkpoint.c.name == SHADOW)
        await connection.execute(mine.values(name=LIVE))
    return True
