"""Bytes for events and messages. Explicit tags and schema versions, never a Python path."""

from collections.abc import Callable
from typing import Any

import msgspec

from actors.contracts import errors, messages
from actors.order.domain import commands, events
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

_to_json = msgspec.json.Encoder()
_event_decoders: dict[str, msgspec.json.Decoder[Any]] = {
    tag: msgspec.json.Decoder(cls) for tag, cls in EVENT_TYPES.items()
}


class UnknownEvent(Exception):
    """The journal holds an event that this version of the code does not know."""

    def __init__(self, tag: str, schema_version: int) -> None:
        super().__init__(tag, schema_version)

    def __str__(self) -> str:
        tag, schema_version = self.args
        event = f"event {tag!r} of schema version {schema_version}"
        return f"unknown {event}: is the code older than the journal?"


def encode_event(event: events.Event) -> tuple[str, int, str]:
    """Return tag, schema version and JSON text of an event."""
    tag = EVENT_TAGS[type(event)]
    return tag, SCHEMA_VERSIONS[tag], _to_json.encode(event).decode()


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


def to_json(value: object) -> bytes:
    """Return JSON bytes; datetimes become RFC 3339, enums their values."""
    return _to_json.encode(value)


_pack = msgspec.msgpack.Encoder()
_unpack_frame = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw])
_MESSAGE_TYPES: list[type] = [
    *commands.Command.__args__,
    messages.OrderRequest,
    messages.OrderReply,
    messages.ChargeRequest,
    messages.RefundRequest,
    messages.PaymentReply,
    messages.TicketRequest,
    messages.TicketUpdate,
    messages.TicketCancellation,
    messages.TicketReply,
    messages.StoreChange,
    messages.MenuItemChange,
    messages.Done,
]
_message_decoders: dict[str, msgspec.msgpack.Decoder[Any]] = {
    cls.__name__: msgspec.msgpack.Decoder(cls) for cls in _MESSAGE_TYPES
}
_ERRORS: dict[str, type[errors.SirenError]] = {
    cls.__name__: cls
    for cls in (
        errors.Rejected,
        errors.PriceChanged,
        errors.SoldOut,
        errors.Invalid,
        errors.NotFound,
        errors.Conflict,
        errors.AlreadyPlaced,
        errors.Unavailable,
        errors.Damaged,
    )
}


def pack(message: object) -> bytes:
    """Return the bytes of a message, a command or a `SirenError`."""
    if isinstance(message, errors.SirenError):
        return _pack.encode((type(message).__name__, message.args))
    return _pack.encode((type(message).__name__, message))


def unpack(data: bytes) -> Any:
    """Return what was packed; an error is returned, not raised."""
    tag, body = _unpack_frame.decode(data)
    if tag in _ERRORS:
        return _ERRORS[tag](*msgspec.msgpack.decode(body))
    return _message_decoders[tag].decode(body)
