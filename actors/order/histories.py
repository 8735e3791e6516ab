"""Rows of the journal made into orders' histories: what cannot be read spoils no other order."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct, field

from actors.contracts.errors import Damaged, UnknownEvent
from actors.contracts.values import PrivateData
from actors.order.domain.events import StoredEvent
from actors.order.journal_rows import last_seal, stored_event
from actors.runtime.database_faults import UNREADABLE

Rows = Sequence[Sequence[Any]]
Unreadable = Callable[[str], Damaged]
"""Makes words into the error that says what cannot be read."""


class History(Struct, frozen=True):
    """An order as the journal has it. `ticket_version`: the update the store has not confirmed.

    `seal`: what its next event follows.
    """

    events: list[StoredEvent] = field(default_factory=list)
    private: PrivateData = field(default_factory=PrivateData)
    ticket_version: int | None = None
    seal: int = 0


class UnreadableEvent(Struct, frozen=True):
    """An event of which no more can be read than whose it is, and what tells it from others."""

    order_id: str
    version: int
    type: str
    at: object
    error: Damaged


class ReadablePart(Struct, frozen=True):
    """An order's events up to the first that cannot be read; `untold` says why there are no more.

    `ticket_version`: the update that the store has not confirmed.
    """

    events: list[StoredEvent]
    untold: str | None
    ticket_version: int | None


def readable_part(rows: Rows, open_rows: Rows) -> ReadablePart:
    """Return what can be read of the rows of one order's events, which are in order of version."""
    known: list[StoredEvent] = []
    ticket_version = open_rows[0][1] if open_rows else None
    for row in rows:
        try:
            stored = stored_event(row)[1]
        except UNREADABLE as error:
            return ReadablePart(known, f"{words_for(row)} ({type(error).__name__})", ticket_version)
        if stored.version != len(known) + 1:
            words = f"version {len(known) + 1} is missing from the journal"
            return ReadablePart(known, words, ticket_version)
        known.append(stored)
    return ReadablePart(known, None, ticket_version)


def unreadable_event(envelope: Sequence[Any], error: Damaged) -> UnreadableEvent:
    """Return what there is of an event: position, whose, version, type and time of it."""
    _, order_id, version, tag, at = envelope
    return UnreadableEvent(order_id, version, tag, at, error)


def words_for(row: Sequence[Any]) -> str:
    """Return what to say of a row of `events` that cannot be read, or of its envelope."""
    position, order_id, version, *_ = row
    return f"event {position}, version {version} of order {order_id}, cannot be read"


def histories_of(
    wanted: Sequence[str], found: Sequence[Rows], unreadable: Unreadable
) -> dict[str, History | Damaged | UnknownEvent]:
    """Return the history of each order, or what is raised where one of its events cannot be read.

    `found`: their events in order of version, private data, and rows of `open_orders`. An order
    without any event has an empty history.
    """
    rows, private_rows, open_rows = found
    events: dict[str, list[StoredEvent]] = {order_id: [] for order_id in wanted}
    seals: dict[str, int] = {}
    damaged: dict[str, Damaged | UnknownEvent] = {}
    for row in rows:
        try:
            _, stored = stored_event(row)
            known = events[stored.order_id]
            if stored.version != len(known) + 1:
                raise ValueError(stored.version)
            known.append(stored)
            seals[stored.order_id] = last_seal(seals.get(stored.order_id, 0), row)
        except UnknownEvent as error:
            damaged.setdefault(row[1], error)
        except UNREADABLE:
            damaged.setdefault(row[1], unreadable(words_for(row)))
    private = {order_id: PrivateData(*rest) for order_id, *rest in private_rows}
    unconfirmed: dict[str, int | None] = dict(open_rows)  # type: ignore[arg-type]
    nobody = PrivateData()
    read = {
        order_id: History(
            stored,
            private.get(order_id, nobody),
            unconfirmed.get(order_id),
            seals.get(order_id, 0),
        )
        for order_id, stored in events.items()
    }
    return read | damaged
