"""The ids of orders and commands, and order id -> slot -> order host. Knows no Ray."""

import secrets
import time
import zlib

from actors.contracts.errors import NotFound
from actors.contracts.limits import MAX_ID
from actors.contracts.texts import invalid, is_visible_ascii
from actors.installation import Installation, keyed_hash

KEY_DIGITS = 24
"""Hexadecimal digits of an order's id behind its time."""
HASH_DIGITS = 32
"""Hexadecimal digits of the hashes in a command's id: 128 bits."""
SLOTS = 256
_SEPARATOR = "\0"


def new_order_id(installation: Installation, customer_id: str, key: str | None) -> str:
    """Return an id for an order: its time, and 24 hexadecimal digits that nobody can guess.

    The same customer and idempotency key always give the same digits (`key_of` the id), and so
    the same order host, which finds the order by them. The time in front, milliseconds since
    1970 in 11 digits, keeps the orders of a batch together in every index: each random place is
    a page to read, log and copy.
    """
    if key is None:
        digits = secrets.token_hex(KEY_DIGITS // 2)
    else:
        digest = installation.digest(f"{len(customer_id)}:{customer_id}{key}".encode())
        # The end of what was a whole id in schema version 1: `key_of` finds those orders too.
        digits = digest[:32][-KEY_DIGITS:]
    return f"{time.time_ns() // 1_000_000:011x}{digits}"


def command_id(installation: Installation, order_id: str, key: str, *body: str) -> str:
    """Return a command's id, by which a repeat is known: keyed hashes of `key` and `body`.

    `body` is what is asked, kind of request first; without it only the key is hashed. Both
    hashes differ from order to order: they tell nobody that two were paid with one card.
    """
    hashed = hash_key(installation.secret, order_id, key)
    if not body:
        return hashed
    scope = f"body {key_of(order_id)} {len(key)} {key} "
    data = (scope + _SEPARATOR.join(body)).encode(errors="surrogatepass")
    return f"{hashed}:{installation.digest(data)[:HASH_DIGITS]}"


def hash_key(secret: bytes, order_id: str, key: str) -> str:
    """Return the keyed hash under which the journal knows a command's key; "" where there is none.

    It is the same for every id that the customer's key gives an order.
    """
    if not key:
        return ""
    return keyed_hash(secret, f"key {key_of(order_id)} {key}".encode())[:HASH_DIGITS]


def key_of(order_id: str) -> str:
    """Return what customer and idempotency key determine of an order's id: its last 24 digits."""
    return order_id[-KEY_DIGITS:]


def check_order_id(order_id: str) -> None:
    """Raise `NotFound`, or `Invalid`, for what no order's id can be."""
    if not isinstance(order_id, str):
        raise invalid("Must be a text", "/order_id")
    if not is_visible_ascii(order_id, MAX_ID):  # no database need be asked
        raise NotFound("order_not_found", "There is no order with this id.")


def slot_of(order_id: str) -> int:
    """Return the slot, 0 to 255, that an order belongs to for ever, and every id of its key."""
    return zlib.crc32(key_of(order_id).encode()) % SLOTS


def host_of(order_id: str, order_hosts: int) -> int:
    """Return which of `order_hosts` order hosts an order lives on."""
    return slot_of(order_id) * order_hosts // SLOTS


def slots_of(host: int, order_hosts: int) -> list[int]:
    """Return the slots of one host."""
    return [slot for slot in range(SLOTS) if slot * order_hosts // SLOTS == host]
