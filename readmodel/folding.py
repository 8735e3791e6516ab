"""What a batch of the journal's events makes of the view's rows. Reads and writes nothing."""

from typing import Any

from msgspec import Struct

from actors.contracts.values import PrivateData
from actors.order.domain.detail import detail
from actors.order.domain.events import CustomerErased, OrderCanceled, OrderPlaced, StoredEvent
from actors.order.domain.order import Order, evolve
from actors.runtime.message_codec import to_json

Batch = list[tuple[int, StoredEvent]]


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
    batch: Batch, before: dict[str, Folded], private: dict[str, PrivateData]
) -> dict[str, Folded]:
    """Return the orders that a batch of events touches, as they are after it.

    `before` has those placed before the batch, `private` the private data of those placed or
    cancelled in it. Raises `ValueError` where an order's events have a gap.
    """
    after: dict[str, Folded] = {}
    for position, stored in batch:
        order_id = stored.order_id
        known = after.get(order_id) or before.get(order_id)
        if known is None:
            if not isinstance(stored.event, OrderPlaced):
                raise ViewIncomplete(order_id)
            placed = evolve(None, stored)
            person = private.get(order_id, PrivateData())
            after[order_id] = Folded(position, position, placed, person)
            continue
        person = known.private
        if isinstance(stored.event, CustomerErased):
            person = PrivateData()
        elif isinstance(stored.event, OrderCanceled):  # with the words that were used
            person = private.get(order_id, person)
        after[order_id] = Folded(known.seq, position, evolve(known.order, stored), person)
    return after


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
