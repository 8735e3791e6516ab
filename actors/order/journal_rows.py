"""Events as rows of the journal, and rows as events."""

from collections.abc import Sequence
from typing import Any

from actors.order.domain.events import StoredEvent
from actors.order.event_codec import decode_event, encode_event
from actors.order.seals import SEALED_COLUMNS, seal_of
from actors.runtime.clock import from_micros, to_micros


def row_of(stored: StoredEvent) -> dict[str, Any]:
    """Return the row of `events` for an event, in the table's order.

    Without its seal; its position comes with the insertion.
    """
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


def sealed_rows(stored: Sequence[StoredEvent], former: int) -> tuple[list[dict[str, Any]], int]:
    """Return the sealed rows of an order's next events, and the last seal.

    `former` is the seal of the event before them, 0 where there is none.
    """
    rows = []
    for each in stored:
        row = row_of(each)
        row["seal"] = former = seal_of(former, row.values())
        rows.append(row)
    return rows, former


def last_seal(former: int, row: Sequence[Any]) -> int:
    """Return the seal that the next event follows; `former` is the one before this row's event."""
    seal: int | None = row[-1]
    return seal_of(former, row[SEALED_COLUMNS]) if seal is None else seal


def stored_event(row: Sequence[Any]) -> tuple[int, StoredEvent]:
    """Return position and event of a row of `events`."""
    position, order_id, version, tag, schema_version, data, at, command_id, _seal = row
    event = decode_event(tag, schema_version, data)
    return position, StoredEvent(order_id, version, event, from_micros(at), command_id)
