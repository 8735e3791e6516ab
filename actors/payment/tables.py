"""The payment service's table. Only the payment ledger writes it; `PaymentQueries` reads it."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table

from actors.runtime.schema import Schema

SCHEMA = Schema("payments", version=1, oldest_code=1)

metadata = MetaData()

# One row an order at most. A row without a payment id is a bare tombstone: the order was cancelled
# before this service ever asked for its charge, so there is no payment to show.
payments = Table(
    "payments",
    metadata,
    Column("order_id", String(64), primary_key=True),
    Column("payment_id", String(40), nullable=True, unique=True),
    Column("amount", BigInteger, nullable=True),  # minor unit
    Column("currency", String(3), nullable=True),
    Column("status", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),  # distinct keys; all but the last were declined
    Column("refused", Boolean, nullable=False),  # the tombstone: nothing is charged any more
    Column("created_at", BigInteger, nullable=False),  # microseconds since 1970, UTC, as all times
    Column("approved_at", BigInteger, nullable=True),
    Column("canceled_at", BigInteger, nullable=True),
    Index("payments_by_age", "created_at", "order_id"),
    Index("payments_by_status", "status", "created_at", "order_id"),
    sqlite_with_rowid=False,  # one page a row to write, not an index's and the table's
)
