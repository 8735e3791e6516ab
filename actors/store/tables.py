"""The store service's tables. Only the store actor writes them; `StoreQueries` reads them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from actors.runtime.database import Database
from actors.runtime.schema import Schema, add_column

metadata = MetaData()

stores = Table(
    "stores",
    metadata,
    Column("store_id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("time_zone", String(64), nullable=False),  # IANA name
    Column("currency", String(3), nullable=False),
    Column("open", Boolean, nullable=False),
    Column("capacity", Integer, nullable=True),  # NULL is unlimited
    Column("prepare_s", Integer, nullable=False),  # seconds a ticket takes
    # Running counts of the store's tickets, kept in the transaction that moves a ticket. Counting
    # the tickets themselves would cost every batch 0.1 ms for each thousand that are open.
    Column("queued", Integer, nullable=False),  # ACCEPTED or PREPARING
    Column("ready", Integer, nullable=False),  # READY
    Column("number_day", String(10), nullable=False),  # local date of the newest pick-up number
    Column("last_number", Integer, nullable=False),  # place of the newest one on that day
    # JSON of a `Numbering`; another day's, or NULL where an earlier version wrote: look anew.
    Column("numbering", Text, nullable=True),
)

menu_items = Table(
    "menu_items",
    metadata,
    Column("store_id", String(64), primary_key=True),
    Column("menu_id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("price", BigInteger, nullable=False),  # minor unit of the store's currency
    Column("sold_out", Boolean, nullable=False),
    Column("sort_order", Integer, nullable=False),
)

# One row an order, also for a ticket that was rejected, or cancelled before it came (a tombstone:
# CANCELED without a number). Rows are never deleted, so `seq` is the order in which they came.
tickets = Table(
    "tickets",
    metadata,
    # SQLite gives rowids to INTEGER keys alone.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("order_id", String(64), nullable=False, unique=True),
    Column("store_id", String(64), nullable=False),
    Column("number", String(16), nullable=True),
    Column("day", String(10), nullable=True),  # the store's local date, ISO 8601
    Column("status", String(16), nullable=False),
    Column("version", Integer, nullable=False),  # of the order's newest update; 0 before any
    Column("items", Text, nullable=False),  # JSON array of the order's lines
    Column("customer_name", Text, nullable=True),
    Column("reason", Text, nullable=True),
    Column("estimated_ready_at", BigInteger, nullable=True),  # microseconds since 1970, UTC
    Column("opened_at", BigInteger, nullable=True),
    Column("updated_at", BigInteger, nullable=False),
    Index("tickets_by_store", "store_id", "seq"),
    Index("tickets_by_status", "status", "store_id", "seq"),
)


async def _add_numbering(database: Database) -> None:
    """Version 2 has it: how far the day's pick-up numbers are."""
    await add_column(database, stores.c.numbering)


SCHEMA = Schema("stores", version=2, oldest_code=1, steps={2: _add_numbering})
