"""How an order's private data change with it: names and tokens are no part of its events."""

from dataclasses import replace

from actors.domain import commands as cmd
from actors.domain import events as ev
from actors.domain.values import PrivateData

FINAL_PAYMENT_EVENTS = (ev.PaymentApproved, ev.PaymentDeclined, ev.PaymentCanceled)


def private_after(
    private: PrivateData, command: cmd.Command, stored: tuple[ev.StoredEvent, ...]
) -> PrivateData:
    """Private data as it is once `stored` is: a token is forgotten when its attempt is final."""
    match command:
        case cmd.PlaceOrder(private=placed):
            return placed
        case cmd.PayOrder(token=token):
            return replace(private, payment_token=token)
        case cmd.EraseCustomer():
            return replace(private, name=None, tel=None)
    if any(isinstance(s.event, FINAL_PAYMENT_EVENTS) for s in stored):
        return replace(private, payment_token=None)
    return private
