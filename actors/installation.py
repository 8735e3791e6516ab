"""What all processes of one installation share: its settings, its secret and its order hosts."""

import hmac
import secrets
import time
from dataclasses import dataclass, field

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
        return hmac.digest(self.secret, data, "sha256").hex()


def hash_key(secret: bytes, order_id: str, key: str) -> str:
    """Return the keyed hash under which the journal knows a command's key; "" where there is none.

    It is the same for every id that the customer's key gives an order.
    """
    if not key:
        return ""
    data = f"key {order_id[-KEY_DIGITS:]} {key}".encode()
    return hmac.digest(secret, data, "sha256").hex()[:HASH_DIGITS]
