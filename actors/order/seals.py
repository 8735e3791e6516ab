"""Seals: what proves that no event was altered or removed since it was committed.

An event's seal is a hash of the seal before it in its order, and of its own row. What a chain
cannot show, that its end is gone or a whole order, shows what all seals add up to: sums that are
committed with the events. They guard against accidents and careless hands; whoever writes to the
database and computes hashes, too, can forge both.
"""

import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec

SEALED_COLUMNS = slice(1, 8)
"""Of a row of `events`: all but its position, and the seal itself."""
MASK = (1 << 62) - 1
"""Seals have 62 bits, so that the sum of two is still an integer of every database."""
CHECK_BITS = 32
PART_BITS, PARTS = 44, 4
LANE_BITS = 128
"""Room for the sum of any number of parts."""
ID_DIGITS, FORMER_ID_DIGITS = 35, 32
SUMMED = ("events", "versions", "seals", *(f"ids_{part}" for part in range(PARTS)))

_encode = msgspec.msgpack.Encoder().encode


def seal_of(former: int, row: Iterable[Any]) -> int:
    """Return the seal of an event behind one with seal `former`, 0 where it is its order's first.

    `row`: its columns in the table's order, without position and seal.
    """
    digest = blake2b(_encode((former, *row)), digest_size=8).digest()
    return int.from_bytes(digest, "big") & MASK


def sums_of(sealed: Iterable[tuple[str, int, int]]) -> dict[str, int]:
    """Return what sealed events, as (order id, version, seal), add to the sums of all.

    Each sum is kept modulo 2^62. `ids_0` and so on are of the order ids as numbers: where all
    events that are missing are of one order, it tells which.
    """
    count = versions = seals = ids = 0
    for order_id, version, seal in sealed:
        count += 1
        versions += version
        seals += seal
        ids += _side_by_side(order_id)
    sums = (count, versions, seals, *(ids >> LANE_BITS * place for place in range(PARTS)))
    return {name: value & MASK for name, value in zip(SUMMED, sums, strict=True)}


def difference(kept: Mapping[str, int], found: Mapping[str, int]) -> dict[str, int]:
    """Return how much more the kept sums are than those of what was found; may be negative."""
    return {name: _signed(kept[name] - found[name]) for name in SUMMED}


def order_of(sums: Mapping[str, int]) -> tuple[str, int, int] | None:
    """Return (order id, first version, last version) of what was summed up.

    None where it is not a row of versions of one order, or the id is none that we give.
    """
    count = sums["events"]
    if count <= 0:
        return None
    parts = [divmod(sums[f"ids_{part}"], count) for part in range(PARTS)]
    first, odd = divmod(sums["versions"] - count * (count - 1) // 2, count)
    if odd or first < 1 or any(rest for _, rest in parts):
        return None
    number = sum(part << PART_BITS * place for place, (part, _) in enumerate(parts))
    number >>= CHECK_BITS
    for digits in (ID_DIGITS, FORMER_ID_DIGITS):
        order_id = f"{number:0{digits}x}"
        if [part for part, _ in parts] == _parts(order_id):
            return order_id, first, first + count - 1
    return None


@lru_cache(maxsize=1024)  # an order's commits come soon after each other
def _side_by_side(order_id: str) -> int:
    """Return the parts of an id in lanes of one number, so that one addition adds up all."""
    return sum(part << LANE_BITS * place for place, part in enumerate(_parts(order_id)))


def _parts(order_id: str) -> list[int]:
    """Return an id and its checksum as numbers small enough that thousands of them add up."""
    name = order_id.encode(errors="replace")
    try:
        number = int(order_id, 16)
    except ValueError:  # none that we give; it has at least a sum
        number = zlib.adler32(name)
    number = number << CHECK_BITS | zlib.crc32(name)
    part = (1 << PART_BITS) - 1
    return [number >> PART_BITS * place & part for place in range(PARTS)]


def _signed(value: int) -> int:
    value &= MASK
    return value - MASK - 1 if value > MASK >> 1 else value
