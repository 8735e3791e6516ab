"""What one command adds to its order, and how all that wait are added in one transaction."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from actors.contracts.errors import AlreadyPlaced, Conflict
from actors.contracts.values import PrivateData
from actors.order.domain.events import StoredEvent
from actors.order.ids import key_of, slot_of
from actors.order.journal_rows import sealed_rows
from actors.order.journal_statements import Statements
from actors.order.seals import sums_of
from actors.runtime.clock import to_micros
from actors.runtime.group_commit import Seen
from actors.runtime.statements import Transaction


class Append(Struct, frozen=True):
    """What one command adds to one order: all of it, or nothing.

    `due_at` and `ticket_version` are the order's new row in `open_orders`; no row where `due_at`
    is None. `private` is stored with a new order; `token` replaces its card token ("" forgets it),
    `cancel_reason` the words of a cancellation. An append without events only moves the row.
    `seal` is that of the order's last event, the one of `expected_version`.
    """

    order_id: str
    expected_version: int
    events: tuple[StoredEvent, ...]
    due_at: datetime | None
    ticket_version: int | None = None
    private: PrivateData | None = None
    token: str | None = None
    cancel_reason: str | None = None
    erase: bool = False
    seal: int = 0


Refusal = Conflict | AlreadyPlaced
"""Why an append was not stored."""
Outcome = int | Refusal
"""What became of an append: the order's last seal, or why it was not stored."""


def append_all(
    statements: Statements, batch: list[Append], transaction: Transaction
) -> list[Outcome]:
    """Append what can be appended of a batch, in one transaction; return what became of each.

    Write transactions run one at a time, so the versions that are read in it are the latest.
    """
    winners, results = _arbitrate(statements, transaction, batch)
    seals = iter(_insert_events(statements, transaction, winners))
    _insert_keys(statements, transaction, winners)
    _move_open_orders(statements, transaction, winners)
    _store_private(statements, transaction, winners)
    return [next(seals) if refusal is None else refusal for refusal in results]


def _arbitrate(
    statements: Statements, transaction: Transaction, batch: list[Append]
) -> tuple[list[Append], list[Refusal | None]]:
    """Split a batch into those whose expected version stands and the others' errors."""
    mine, keys = _concerned(batch)
    versions: dict[str, int] = dict(transaction.all(statements.versions, mine))  # type: ignore[arg-type]
    placed: dict[str, str] = dict(transaction.all(statements.keys, keys)) if keys["keys"] else {}  # type: ignore[arg-type]
    winners: list[Append] = []
    results: list[Refusal | None] = []
    for append in batch:
        current = versions.get(append.order_id, 0)
        if current != append.expected_version:
            detail = f"expected version {append.expected_version}, found {current}"
            results.append(Conflict("stale_version", detail))
            continue
        if _places(append):
            first = placed.setdefault(key_of(append.order_id), append.order_id)
            if first != append.order_id:
                results.append(AlreadyPlaced(first))
                continue
        versions[append.order_id] = current + len(append.events)
        winners.append(append)
        results.append(None)
    return winners, results


def believed(statements: Statements, batch: list[Append]) -> list[Seen]:
    """Return what `append_all` reads where every append of the batch is right."""
    mine, keys = _concerned(batch)
    expected: dict[str, int] = {}
    for append in batch:  # of an order that comes twice, the first
        expected.setdefault(append.order_id, append.expected_version)
    versions = [[order_id, version] for order_id, version in sorted(expected.items()) if version]
    return [(statements.versions, mine, versions), (statements.keys, keys, ())]


def _concerned(batch: list[Append]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the parameters of what is read: all orders, and the keys of those that are new."""
    keys = [key_of(append.order_id) for append in batch if _places(append)]
    return {"order_ids": list({append.order_id for append in batch})}, {"keys": keys}


def _insert_events(
    statements: Statements, transaction: Transaction, winners: list[Append]
) -> list[int]:
    """Insert the events, and return each append's last seal."""
    seals: list[int] = []
    rows: list[dict[str, Any]] = []
    for append in winners:
        added, seal = sealed_rows(append.events, append.seal)
        rows += added
        seals.append(seal)
    if rows:
        transaction.change(statements.insert_events, rows)
        sums = sums_of((row["order_id"], row["version"], row["seal"]) for row in rows)
        transaction.change(statements.add_sums, [{"id": 1, "unsealed_until": 0, **sums}])
    return seals


def _insert_keys(statements: Statements, transaction: Transaction, winners: list[Append]) -> None:
    keys = [_key_row(append.order_id) for append in winners if _places(append)]
    if keys:
        transaction.change(statements.insert_keys, keys)


def _move_open_orders(
    statements: Statements, transaction: Transaction, winners: list[Append]
) -> None:
    last = {append.order_id: append for append in winners}
    opened = [_open_row(append) for append in last.values() if append.due_at is not None]
    if opened:
        transaction.change(statements.open, opened)
    closed = [{"mine": a.order_id} for a in last.values() if a.due_at is None]
    if closed:
        transaction.change(statements.close, closed)


def _store_private(statements: Statements, transaction: Transaction, winners: list[Append]) -> None:
    placed = [_private_row(a.order_id, a.private) for a in winners if a.private is not None]
    if placed:
        transaction.change(statements.insert_private, placed)
    tokens = [
        {"mine": a.order_id, "new_token": a.token or None} for a in winners if a.token is not None
    ]
    if tokens:
        transaction.change(statements.replace_token, tokens)
    reasons = [
        {"mine": a.order_id, "reason": a.cancel_reason}
        for a in winners
        if a.cancel_reason is not None
    ]
    if reasons:
        transaction.change(statements.note_reason, reasons)
    erased = [{"mine": a.order_id, "nothing": None} for a in winners if a.erase]
    if erased:
        transaction.change(statements.erase, erased)


def _open_row(append: Append) -> dict[str, Any]:
    assert append.due_at is not None
    return {
        "order_id": append.order_id,
        "slot": slot_of(append.order_id),
        "due_at": to_micros(append.due_at),
        "ticket_version": append.ticket_version,
    }


def _places(append: Append) -> bool:
    return append.expected_version == 0 and bool(append.events)


def _key_row(order_id: str) -> dict[str, str]:
    return {"key": key_of(order_id), "order_id": order_id}


def _private_row(order_id: str, private: PrivateData) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "name": private.name,
        "tel": private.tel,
        "payment_token": private.payment_token,
        "cancel_reason": private.cancel_reason,
    }
