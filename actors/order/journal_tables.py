"""The journal's tables. Only the journal writes them; everybody may read events."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from actors.order.seals import SUMMED

JOURNAL_SCHEMA_VERSION = 4
OLDEST_CODE = 3
"""The oldest code, by the schema version that it knows, that may use a journal of this one. It is
raised with what older code cannot read or write: a contraction, or the first use of a new event."""
NO_OLDER_WRITER = "events_have_hashed_keys"

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

events = Table(
    "events",
    metadata,
    # SQLite gives rowids to INTEGER keys alone.
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("order_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("type", String(64), nullable=False),
    Column("schema_version", SmallInteger, nullable=False),
    Column("data", Text, nullable=False),
    Column("at", BigInteger, nullable=False),  # microseconds since 1970, UTC
    # Hashes of key and body, see `ids.command_id`: a client's key may hold a name.
    Column("command_id", String(300), nullable=False),
    # See `seals`. None: written by code older than seals; the order's next seal covers it.
    Column("seal", BigInteger, nullable=True),
    UniqueConstraint("order_id", "version"),
    # Code older than this schema would store keys in the clear, and take repeats for news.
    # On SQLite the folder's lock keeps it away.
    CheckConstraint("schema_version > 1", name=NO_OLDER_WRITER).ddl_if(dialect="postgresql"),
)

# What all seals add up to (see `seals`): one row, which each commit of events moves on.
seal_sums = Table(
    "seal_sums",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    *(Column(name, BigInteger, nullable=False) for name in SUMMED),
    # Up to this position code older than seals may have written events.
    Column("unsealed_until", BigInteger, nullable=False),
)

# Which order was placed by a customer's idempotency key (see `ids.key_of`). Written with
# OrderPlaced and kept for ever: a repeat comes with another id, whose key is the same.
order_keys = Table(
    "order_keys",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("order_id", String(64), nullable=False),
    sqlite_with_rowid=False,  # one page a row to write, not an index's and the table's
)

# A row exists while a step is outstanding, a deadline is set or a ticket update is unacknowledged,
# so that a restart costs time in proportion to unfinished work, not to history. No index by slot:
# it is read at a start alone, and written with every order.
open_orders = Table(
    "open_orders",
    metadata,
    Column("order_id", String(64), primary_key=True),
    Column("slot", SmallInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),  # microseconds: when to look at it
    Column("ticket_version", Integer, nullable=True),  # the update the store has not confirmed
    sqlite_with_rowid=False,
)

# What may be erased. It commits with the events, and is not one of them.
order_private = Table(
    "order_private",
    metadata,
    Column("order_id", String(64), primary_key=True),
    Column("name", Text, nullable=True),
    Column("tel", Text, nullable=True),
    Column("payment_token", Text, nullable=True),
    Column("cancel_reason", Text, nullable=True),  # free text; the events have a code
    sqlite_with_rowid=False,
)

MAY_BE_MISSING = "may_be_missing"
"""In a table's `info`: journals of earlier versions have none, and are none the worse for it."""

# What keeps orders from going on. Written while something fails, and never on the way of an order
# that goes on. It tells causes, never what a row or a request holds.
order_failures = Table(
    "order_failures",
    metadata,
    Column("order_id", String(64), primary_key=True),
    Column("work", String(64), primary_key=True),  # see `saga.work_of`
    Column("tries", Integer, nullable=False),
    Column("since", BigInteger, nullable=False),  # microseconds since 1970, as those below
    Column("last_at", BigInteger, nullable=False),
    Column("code", String(64), nullable=False),
    Column("cause", Text, nullable=False),
    Column("set_aside", SmallInteger, nullable=False),  # 1: asking again is not expected to help
    Column("ended_at", BigInteger, nullable=True),  # when it was done, or not needed any more
    sqlite_with_rowid=False,
    info={MAY_BE_MISSING: True},
)
Index(
    "order_failures_lasting",
    order_failures.c.order_id,
    sqlite_where=order_failures.c.ended_at.is_(None),
    postgresql_where=order_failures.c.ended_at.is_(None),
)
