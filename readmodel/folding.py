"""What a batch of the journal's events makes of the view's rows. Reads and writes nothing."""

from collections.abc import Collection, Iterable
from typing import Any

from msgspec import Struct

from actors.contracts.values import PrivateData
from actors.order.domain.detail import detail
from actors.order.domain.events import CustomerErased, OrderCanceled, OrderPlaced, StoredEvent
from actors.order.domain.order import Order, evolve
from actors.order.histories import UnreadableEvent
from actors.runtime.message_codec import to_json

Batch = list[tuple[int, StoredEvent | UnreadableEvent]]
LONGEST_ID = 64
"""What a column of the view takes."""


class ViewIncomplete(ValueError):
    """The view lacks an order that it has read the beginning of."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"order {order_id} is not in the view: it must be rebuilt")


class Folded(Struct, frozen=True):
    """An order as of journal position `position`; `seq` is the position where it was placed."""

    seq: int
    position: int
    order: Order
    private: PrivateData


def fold_batch(
    batch: Batch,
    before: dict[str, Folded],
    private: dict[str, PrivateData],
    leave: Collection[str] = (),
) -> tuple[dict[str, Folded], dict[str, Exception]]:
    """Return the orders that a batch of events touches, as they are after it, and what failed.

    `before` has those placed before the batch, `private` the private data of those placed or
    cancelled in it; the orders of `leave` are left alone. One that cannot be folded is as it was
    before the event at fault, and has its error among the second ones.
    """
    after: dict[str, Folded] = {}
    failed: dict[str, Exception] = {}
    for position, stored in batch:
        order_id = stored.order_id
        if order_id in leave or order_id in failed:
            continue
        known = after.get(order_id) or before.get(order_id)
        try:
            after[order_id] = _fold(position, stored, known, private)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this order's
            failed[order_id] = error
    return after, failed


def _fold(
    position: int,
    stored: StoredEvent | UnreadableEvent,
    known: Folded | None,
    private: dict[str, PrivateData],
) -> Folded:
    if isinstance(stored, UnreadableEvent):
        raise stored.error
    if known is None:
        if not isinstance(stored.event, OrderPlaced):
            raise ViewIncomplete(stored.order_id)
        placed = evolve(None, stored)
        return Folded(position, position, placed, private.get(stored.order_id, PrivateData()))
    person = known.private
    if isinstance(stored.event, CustomerErased):
        person = PrivateData()
    elif isinstance(stored.event, OrderCanceled):  # with the words that were used
        person = private.get(stored.order_id, person)
    return Folded(known.seq, position, evolve(known.order, stored), person)


def rows_of(folded: Iterable[Folded]) -> tuple[dict[str, dict[str, Any]], dict[str, Exception]]:
    """Return the rows of orders by their ids, and the errors of those of which none can be made."""
    rows: dict[str, dict[str, Any]] = {}
    failed: dict[str, Exception] = {}
    for each in folded:
        try:
            rows[each.order.order_id] = _checked(row_of(each))
        except Exception as error:  # noqa: BLE001 - as above
            failed[each.order.order_id] = error
    return rows, failed


def _checked(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("customer_id", "store_id"):
        value = row[name]
        if len(value) > LONGEST_ID or "\0" in value:  # the database would refuse the whole batch
            raise ValueError(name)
    return row


def row_of(folded: Folded) -> dict[str, Any]:
    """Return the row of an order."""
    order = folded.order
    return {
        "seq": folded.seq,
        "order_id": order.order_id,
        "version": order.version,
        "customer_id": order.customer_id,
        "store_id": order.store_id,
        "order_status": order.status,
        "position": folded.position,
        "body": to_json(detail(order, folded.private)).decode(),
    }


def brings_private_data(stored: StoredEvent | UnreadableEvent) -> bool:
    """Whether private data came with an event, beside it."""
    if isinstance(stored, UnreadableEvent):
        return False
    return isinstance(stored.event, OrderPlaced | OrderCanceled)
