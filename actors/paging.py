"""Pages of a list, with an opaque cursor that stays right while rows are added."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import msgspec

from actors.domain.errors import Invalid
from actors.domain.limits import MAX_PAGE

LARGEST_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page:
    """Some items of a list; `next_cursor` asks for those that follow, None at the end."""

    items: list[Any]
    next_cursor: str | None


def check_limit(limit: int) -> None:
    """Raise `Invalid` unless a page may have so many items: 1 to 200."""
    if type(limit) is not int or not 1 <= limit <= MAX_PAGE:
        detail = f"limit must be a whole number from 1 to {MAX_PAGE}."
        raise Invalid("invalid_request", detail, "/limit")


def encode_cursor(*key: int | str) -> str:
    """Return a cursor for the sort key of a page's last item."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(key)).decode().rstrip("=")


def decode_cursor(cursor: str, *types: type) -> tuple[Any, ...]:
    """Return the sort key in a cursor; raises `Invalid` for one that was not made here."""
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key = msgspec.msgpack.decode(data, type=tuple[types])  # type: ignore[valid-type]
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise _not_made_here() from error
    if not all(_is_storable(part) for part in key):
        raise _not_made_here()
    return tuple(key)


def _is_storable(part: int | str) -> bool:
    """Whether a database can compare a column with it: no huge numbers, no NUL in texts."""
    return "\0" not in part if isinstance(part, str) else 0 <= part <= LARGEST_INTEGER


def _not_made_here() -> Invalid:
    return Invalid("invalid_cursor", "This cursor was not made by this list.", "/cursor")
