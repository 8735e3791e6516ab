"""The order detail: what a customer sees of an order. One shape for journal fold and view row."""

from typing import Any

from actors.contracts.values import PrivateData
from actors.order.domain.order import Order


def cancel_reason(order: Order, private: PrivateData) -> str | None:
    """Return why the order was cancelled, in the words that were used as long as they are kept.

    None where it was not: private data may be ahead of the events that are read with them.
    """
    return order.cancel_reason and (private.cancel_reason or order.cancel_reason)


def detail(order: Order, private: PrivateData) -> dict[str, Any]:
    """Return the order detail of the HTTP contract; times are aware datetimes, money is integer."""
    return {
        "order_id": order.order_id,
        "version": order.version,
        "store_id": order.store_id,
        "customer": {"id": order.customer_id, "name": private.name, "tel": private.tel},
        "items": [
            {
                "menu_id": line.menu_id,
                "name": line.name,
                "quantity": line.quantity,
                "unit_price": line.unit_price,
                "amount": line.amount,
            }
            for line in order.lines
        ],
        "total": order.total,
        "currency": order.currency,
        "order_status": order.status,
        "payment_status": order.payment,
        "pickup_status": order.pickup,
        "payment_id": order.payment_id,
        "pickup_number": order.pickup_number,
        "estimated_ready_at": order.estimated_ready_at,
        "cancel_reason": cancel_reason(order, private),
        "placed_at": order.placed_at,
        "paid_at": order.paid_at,
        "accepted_at": order.accepted_at,
        "ready_at": order.ready_at,
        "picked_up_at": order.picked_up_at,
        "canceled_at": order.canceled_at,
    }
