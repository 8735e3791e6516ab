"""A journal as schema version 2 wrote it: keys and reasons in the clear."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
)
from sqlalchemy.ext.asyncio import create_async_engine

from actors.contracts.values import PrivateData
from actors.order.domain.events import StoredEvent
from actors.order.event_codec import encode_event
from actors.order.ids import key_of, slot_of
from actors.runtime.clock import to_micros

SECRET = "5e" * 32

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
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("order_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("type", String(64), nullable=False),
    Column("schema_version", SmallInteger, nullable=False),
    Column("data", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("command_id", String(300), nullable=False),
    UniqueConstraint("order_id", "version"),
)
order_keys = Table(
    "order_keys",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("order_id", String(64), nullable=False),
    sqlite_with_rowid=False,
)
open_orders = Table(
    "open_orders",
    metadata,
    Column("order_id", String(64), primary_key=True),
    Column("slot", SmallInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("ticket_version", Integer, nullable=True),
    sqlite_with_rowid=False,
)
order_private = Table(
    "order_private",
    metadata,
    Column("order_id", String(64), primary_key=True),
    Column("name", Text, nullable=True),
    Column("tel", Text, nullable=True),
    Column("payment_token", Text, nullable=True),
    sqlite_with_rowid=False,
)


class OldJournal:
    """Writes as the code of that time did."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def add(
        self, *history: StoredEvent, private: PrivateData, due_at: int | None = None
    ) -> None:
        """Write an order's events, and what commits with them."""
        order_id = history[0].order_id
        await self.connection.execute(insert(events), [_row(stored) for stored in history])
        await self.connection.execute(
            insert(order_keys), {"key": key_of(order_id), "order_id": order_id}
        )
        person = {"name": private.name, "tel": private.tel, "payment_token": private.payment_token}
        await self.connection.execute(insert(order_private), {"order_id": order_id, **person})
        if due_at is not None:
            row = {"order_id": order_id, "slot": slot_of(order_id), "due_at": due_at}
            await self.connection.execute(insert(open_orders), row)


@asynccontextmanager
async def old_journal(url: str) -> AsyncIterator[OldJournal]:
    """Create a journal of schema version 2, and fill it."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        known = {"schema_version": "2", "secret": SECRET, "order_hosts": "1"}
        rows = [{"key": key, "value": value} for key, value in known.items()]
        await connection.execute(insert(meta), rows)
        yield OldJournal(connection)
    await engine.dispose()


def _row(stored: StoredEvent) -> dict[str, Any]:
    tag, _, data = encode_event(stored.event)
    return {
        "order_id": stored.order_id,
        "version": stored.version,
        "type": tag,
        "schema_version": 1,
        "data": data,
        "at": to_micros(stored.at),
        "command_id": stored.command_id,
    }
