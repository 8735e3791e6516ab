"""Events as the journal keeps them: explicit tags and schema versions, never a Python path."""

from collections.abc import Callable
from typing import Any

import msgspec

from actors.contracts.errors import UnknownEvent
from actors.order.domain import events
from actors.order.domain.reasons import code_of

JsonObject = dict[str, Any]

# The tag is what stands in the journal: renaming a class must not change it.
EVENT_TYPES: dict[str, type] = {
    "OrderPlaced": events.OrderPlaced,
    "PaymentRequested": events.PaymentRequested,
    "PaymentApproved": events.PaymentApproved,
    "PaymentDeclined": events.PaymentDeclined,
    "PickupStarted": events.PickupStarted,
    "PickupRejected": events.PickupRejected,
    "PreparationStarted": events.PreparationStarted,
    "PickupReady": events.PickupReady,
    "PickedUp": events.PickedUp,
    "OrderCanceled": events.OrderCanceled,
    "PickupCanceled": events.PickupCanceled,
    "PaymentCanceled": events.PaymentCanceled,
    "CustomerErased": events.CustomerErased,
}
EVENT_TAGS = {cls: tag for tag, cls in EVENT_TYPES.items()}
SCHEMA_VERSIONS: dict[str, int] = dict.fromkeys(EVENT_TYPES, 2)
"""Version 2 came with hashed command ids; only reasons differ from version 1."""


def _as_it_is(fields: JsonObject) -> JsonObject:
    return fields


def _coded(fields: JsonObject) -> JsonObject:
    """Replace what somebody wrote by a code: it is private data."""
    return {**fields, "reason": code_of(fields["reason"], fields.get("by", "store"))}


# (tag, schema version) -> what makes the data of that version into the next one's.
UPCASTERS: dict[tuple[str, int], Callable[[JsonObject], JsonObject]] = {
    **{(tag, 1): _as_it_is for tag in EVENT_TYPES},
    ("OrderCanceled", 1): _coded,
    ("PickupRejected", 1): _coded,
}

_encode = msgspec.json.Encoder().encode
_event_decoders: dict[str, msgspec.json.Decoder[Any]] = {
    tag: msgspec.json.Decoder(cls) for tag, cls in EVENT_TYPES.items()
}


def encode_event(event: events.Event) -> tuple[str, int, str]:
    """Return tag, schema version and JSON text of an event."""
    tag = EVENT_TAGS[type(event)]
    return tag, SCHEMA_VERSIONS[tag], _encode(event).decode()


def decode_event(tag: str, schema_version: int, data: str) -> events.Event:
    """Return the event, upcast from older schema versions.

    Raises `UnknownEvent` for a tag or schema version that this code does not know.
    """
    current = SCHEMA_VERSIONS.get(tag)
    if current == schema_version:
        return _event_decoders[tag].decode(data)  # type: ignore[no-any-return]
    if current is None or schema_version > current:
        raise UnknownEvent(tag, schema_version)
    fields = msgspec.json.decode(data)
    for version in range(schema_version, current):
        fields = UPCASTERS[tag, version](fields)
    return msgspec.convert(fields, EVENT_TYPES[tag])
