"""Pages of a list, with an opaque cursor that stays right while rows are added."""

import base64
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from actors.contracts.errors import Invalid
from actors.contracts.limits import MAX_PAGE

SIGNATURE_BYTES = 16


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


class Cursors:
    """Makes and reads the cursors of one list.

    A cursor is signed, for the filters and the caller's scope that it was made under: whoever makes
    one up, or tries another's, is answered the same whether or not it names something that exists.
    Without a secret, cursors end with the process.
    """

    def __init__(self, name: str, secret: bytes | None = None) -> None:
        self._name = name
        self._secret = secret or secrets.token_bytes(SIGNATURE_BYTES)

    def encode(self, bound: Mapping[str, object], *key: int | str) -> str:
        """Return a cursor for the sort key of a page's last item, bound to filters and scope."""
        data = msgspec.msgpack.encode(key)
        signed = self._signature(bound, data) + data
        return base64.urlsafe_b64encode(signed).decode().rstrip("=")

    def decode(self, bound: Mapping[str, object], cursor: str, *types: type) -> tuple[Any, ...]:
        """Return the sort key in a cursor; raises `Invalid` for one that was not made for this."""
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            signed = base64.b64decode(padded, altchars=b"-_", validate=True)
        except ValueError as error:
            raise _not_made_here() from error
        signature, data = signed[:SIGNATURE_BYTES], signed[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(bound, data)):
            raise _not_made_here()
        try:
            key = msgspec.msgpack.decode(data, type=tuple[types])  # type: ignore[valid-type]
        except msgspec.DecodeError as error:
            raise _not_made_here() from error
        if self.encode(bound, *key) != cursor:  # base64 has several texts for some bytes
            raise _not_made_here()
        return tuple(key)

    def _signature(self, bound: Mapping[str, object], data: bytes) -> bytes:
        given = sorted((name, str(value)) for name, value in bound.items() if value is not None)
        signed = msgspec.msgpack.encode(("cursor", self._name, given, data))
        return hmac.digest(self._secret, signed, "sha256")[:SIGNATURE_BYTES]


def _not_made_here() -> Invalid:
    return Invalid("invalid_cursor", "This cursor was not made by this list.", "/cursor")
