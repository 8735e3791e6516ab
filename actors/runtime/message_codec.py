"""Messages as bytes between actors, and whatever is answered as JSON. Nothing keeps them."""

from collections.abc import Callable
from typing import Any, Union

import msgspec

from actors.contracts import errors
from actors.contracts.messages import Failure, Message

ERRORS: dict[str, Callable[..., errors.SirenError]] = {
    kind.__name__: kind
    for kind in (
        errors.Rejected,
        errors.PriceChanged,
        errors.SoldOut,
        errors.Invalid,
        errors.NotFound,
        errors.Conflict,
        errors.AlreadyPlaced,
        errors.Unavailable,
        errors.Damaged,
        errors.UnknownEvent,
    )
}
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Union[tuple(Message.__subclasses__())]).decode  # noqa: UP007 - a list of them
_to_json = msgspec.json.Encoder().encode


def pack(message: Message | errors.SirenError) -> bytes:
    """Return the bytes of a message, or of an error that is sent instead of one."""
    if isinstance(message, errors.SirenError):
        return _encode(Failure(type(message).__name__, message.args))
    return _encode(message)


def unpack(data: bytes) -> Any:
    """Return what was packed; an error is returned, not raised.

    An error that only a newer version knows is `Unavailable`. Raises `msgspec.MsgspecError` for
    what no message is.
    """
    message = _decode(data)
    if isinstance(message, Failure):
        kind = ERRORS.get(message.error)
        if kind is None:
            return errors.Unavailable("unknown_answer", f"{message.error} is a newer version's.")
        return kind(*message.args)
    return message


def to_json(value: object) -> bytes:
    """Return JSON bytes; datetimes become RFC 3339, enums their values."""
    return _to_json(value)
