"""Events as rows of the journal, and rows as events."""

from collections.abc import Sequence
from typing import Any

from actors.order.domain.events import StoredEvent
from actors.order.event_codec import decode_event, encode_event
from actors.runtime.clock import from_micros, to_micros


def row_of(stored: StoredEvent) -> dict[str, Any]:
    """Return the row of `events` for an event; its position comes with the insertion."""
    tag, schema_version, data = encode_event(stored.event)
    return {
        "order_id": stored.order_id,
        "version": stored.version,
        "type": tag,
        "schema_version": schema_version,
        "data": data,
        "at": to_micros(stored.at),
        "command_id": stored.command_id,
    }


def stored_event(row: Sequence[Any]) -> tuple[int, StoredEvent]:
    """Return position and event of a row of `events`."""
    position, order_id, version, tag, schema_version, data, at, command_id = row
    event = decode_event(tag, schema_version, data)
    return position, StoredEvent(order_id, version, event, from_micros(at), command_id)
