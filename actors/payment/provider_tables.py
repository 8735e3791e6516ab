"""The books of the simulated provider, a third party: nobody else writes them."""

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table

from actors.runtime.schema import Schema

SCHEMA = Schema("provider", version=1, oldest_code=1)

metadata = MetaData()

charges = Table(
    "charges",
    metadata,
    Column("key", String(128), primary_key=True),
    Column("charge_id", String(40), nullable=False),
    Column("amount", BigInteger, nullable=True),  # minor unit; null: cancelled before it was asked
    Column("currency", String(3), nullable=True),
    Column("status", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),  # microseconds since 1970, UTC
    sqlite_with_rowid=False,
)

charge_failures = Table(
    "charge_failures",
    metadata,
    Column("key", String(128), primary_key=True),
    Column("failures", Integer, nullable=False),
)

# What ails the provider as a whole. It only reads this: whoever wants to see what becomes of the
# others then writes a row, as `siren headings` does.
incidents = Table(
    "incidents",
    metadata,
    Column("kind", String(16), primary_key=True),  # stalled, slow, failing or lying
    Column("until", BigInteger, nullable=False),  # microseconds since 1970, UTC
    sqlite_with_rowid=False,
)
