"""What all processes of one installation share: its settings, its secret and its order hosts."""

import hashlib
import secrets
import time
from dataclasses import dataclass, field
from functools import lru_cache

from actors.settings import Settings

KEY_DIGITS = 24
"""Hexadecimal digits of an order's id behind its time."""
HASH_DIGITS = 32
"""Hexadecimal digits of the hashes in a command's id: 128 bits."""
_SEPARATOR = "\0"


@dataclass(frozen=True, slots=True)
class Installation:
    """Built once at bootstrap and passed to every actor. `secret` never leaves the cluster."""

    settings: Settings
    secret: bytes = field(repr=False)
    order_hosts: int

    def order_id(self, customer_id: str, key: str | None) -> str:
        """Return an id for an order: its time, and 24 hexadecimal digits that nobody can guess.

        The same customer and idempotency key always give the same digits (`key_of` the id), and so
        the same order host, which finds the order by them. The time in front, milliseconds since
        1970 in 11 digits, keeps the orders of a batch together in every index: each random place is
        a page to read, log and copy.
        """
        if key is None:
            digits = secrets.token_hex(KEY_DIGITS // 2)
        else:
            digest = self.digest(f"{len(customer_id)}:{customer_id}{key}".encode())
            # The end of what was a whole id in schema version 1: `key_of` finds those orders too.
            digits = digest[:32][-KEY_DIGITS:]
        return f"{time.time_ns() // 1_000_000:011x}{digits}"

    def command_id(self, order_id: str, key: str, *body: str) -> str:
        """Return a command's id, by which a repeat is known: keyed hashes of `key` and `body`.

        `body` is what is asked, kind of request first; without it only the key is hashed. Both
        hashes differ from order to order: they tell nobody that two were paid with one card.
        """
        hashed = hash_key(self.secret, order_id, key)
        if not body:
            return hashed
        scope = f"body {order_id[-KEY_DIGITS:]} {len(key)} {key} "
        data = (scope + _SEPARATOR.join(body)).encode(errors="surrogatepass")
        return f"{hashed}:{self.digest(data)[:HASH_DIGITS]}"

    def digest(self, data: bytes) -> str:
        """Return the keyed hash of some bytes, in hexadecimal.

        Keyed, because a plain hash of a body with a phone number in it could be searched for.
        """
        return _keyed_hash(self.secret, data)


def hash_key(secret: bytes, order_id: str, key: str) -> str:
    """Return the keyed hash under which the journal knows a command's key; "" where there is none.

    It is the same for every id that the customer's key gives an order.
    """
    if not key:
        return ""
    data = f"key {order_id[-KEY_DIGITS:]} {key}".encode()
    return _keyed_hash(secret, data)[:HASH_DIGITS]


def _keyed_hash(secret: bytes, data: bytes) -> str:
    """Return HMAC-SHA256 (RFC 2104), in hexadecimal.

    Each order takes three, and `hmac` prepares the secret anew each time: that was a twentieth of
    what an order cost the gateway.
    """
    inner_start, outer_start = _prepared(secret)
    inner, outer = inner_start.copy(), outer_start.copy()
    inner.update(data)
    outer.update(inner.digest())
    return outer.hexdigest()


@lru_cache(maxsize=8)
def _prepared(secret: bytes) -> "tuple[hashlib._Hash, hashlib._Hash]":
    block = hashlib.sha256().block_size
    key = hashlib.sha256(secret).digest() if len(secret) > block else secret
    padded = key.ljust(block, b"\0")
    inner, outer = (bytes(byte ^ pad for byte in padded) for pad in (0x36, 0x5C))
    return hashlib.sha256(inner), hashlib.sha256(outer)
