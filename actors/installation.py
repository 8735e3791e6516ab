"""What all processes of one installation share: its settings, its secret and its order hosts."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from actors.settings import Settings


@dataclass(frozen=True, slots=True)
class Installation:
    """Built once at bootstrap and passed to every actor. `secret` never leaves the cluster."""

    settings: Settings
    secret: bytes
    order_hosts: int

    def order_id(self, customer_id: str, key: str | None) -> str:
        """Return the id of an order: 32 hexadecimal digits that cannot be guessed.

        The same customer and idempotency key always give the same id, and so the same mailbox:
        no table of keys is needed. Without a key the id is random.
        """
        if key is None:
            return secrets.token_hex(16)
        return self.digest(f"{len(customer_id)}:{customer_id}{key}".encode())[:32]

    def digest(self, data: bytes) -> str:
        """Return the keyed hash of some bytes, in hexadecimal.

        Keyed, because a plain hash of a body with a phone number in it could be searched for.
        """
        return hmac.new(self.secret, data, hashlib.sha256).hexdigest()
