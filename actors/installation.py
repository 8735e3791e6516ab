"""What all processes of one installation share: its settings, its secret and its order hosts."""

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

from actors.settings import Settings

KEY_DIGITS = 24
"""Hexadecimal digits of an order's id behind its time."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Built once at bootstrap and passed to every actor. `secret` never leaves the cluster."""

    settings: Settings
    secret: bytes
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

    def digest(self, data: bytes) -> str:
        """Return the keyed hash of some bytes, in hexadecimal.

        Keyed, because a plain hash of a body with a phone number in it could be searched for.
        """
        return hmac.new(self.secret, data, hashlib.sha256).hexdigest()
