"""How an order's private data change with it: names and tokens are no part of its events."""

from dataclasses import replace

from actors.contracts.values import PrivateData
from actors.order.domain import commands as cmd
from actors.order.domain import events as ev
from actors.order.domain.order import Order

FINAL_PAYMENT_EVENTS = (ev.PaymentApproved, ev.PaymentDeclined, ev.PaymentCanceled)


def private_after(
    private: PrivateData, command: cmd.Command, stored: tuple[ev.StoredEvent, ...], order: Order
) -> PrivateData:
    """Private data as they are once `stored` is, and the order is `order`.

    A token is forgotten when its attempt is final. Nothing is written down any more about a
    customer who was forgotten.
    """
    match command:
        case cmd.PlaceOrder(private=placed):
            return placed
        case cmd.PayOrder(token=token):
            return replace(private, payment_token=token)
        case cmd.EraseCustomer():
            return replace(private, name=None, tel=None, cancel_reason=None)
        case cmd.CancelOrder(reason=reason) | cmd.RejectOrder(reason=reason):
            in_words = reason != order.cancel_reason and not order.erased
            return replace(private, cancel_reason=reason if in_words else None)
    if any(isinstance(s.event, FINAL_PAYMENT_EVENTS) for s in stored):
        return replace(private, payment_token=None)
    return private
