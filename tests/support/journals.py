"""Journals opened as services open them, and what tests do to them beside appending."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from sqlalchemy import delete, select

from actors.order import event_codec
from actors.order.domain.events import PaymentRequested
from actors.order.journal import Journal
from actors.order.journal_tables import events, order_keys, order_private
from actors.runtime.message_codec import to_json


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Journal]:
    journal = Journal(url)
    await journal.create()
    yield journal
    await journal.close()


async def append_event_of_a_newer_version(journal: Journal, order_id: str, version: int) -> None:
    row = {
        "order_id": order_id,
        "version": version,
        "type": "PayLater",
        "schema_version": 2,
        "data": to_json(PaymentRequested(1, 9000)).decode(),
        "at": 0,
        "command_id": "newer",
        "seal": None,
    }
    async with journal.database.write() as connection:
        await connection.execute(events.insert(), row)


def teach_the_newer_event(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = msgspec.json.Decoder(PaymentRequested)
    monkeypatch.setitem(event_codec.SCHEMA_VERSIONS, "PayLater", 2)
    monkeypatch.setitem(event_codec._event_decoders, "PayLater", decoder)


async def lose_the_end(journal: Journal, after: int) -> None:
    """Take the journal back to a position, as a lost write-ahead log or an old backup does."""
    async with journal.database.write() as connection:
        gone = select(events.c.order_id).where(events.c.position > after, events.c.version == 1)
        for table in (order_keys, order_private):
            await connection.execute(delete(table).where(table.c.order_id.in_(gone)))
        await connection.execute(delete(events).where(events.c.position > after))
