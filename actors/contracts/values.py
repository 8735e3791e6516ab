"""The words of the business: statuses, order lines and the customer's private data."""

from dataclasses import dataclass, field
from enum import StrEnum


class OrderStatus(StrEnum):
    """Where an order is in its life; CANCELED and PICKED_UP are final."""

    PLACED = "PLACED"
    PAID = "PAID"
    ACCEPTED = "ACCEPTED"
    PREPARING = "PREPARING"
    READY = "READY"
    PICKED_UP = "PICKED_UP"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"


class PaymentStatus(StrEnum):
    """What is known of the money; CANCELED means that a charge was asked for and undone."""

    NONE = "NONE"
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    CANCELED = "CANCELED"


class PickupStatus(StrEnum):
    """Where the store's ticket is; REQUESTED means paid and not yet answered by the store."""

    NONE = "NONE"
    REQUESTED = "REQUESTED"
    ACCEPTED = "ACCEPTED"
    PREPARING = "PREPARING"
    READY = "READY"
    PICKED_UP = "PICKED_UP"
    REJECTED = "REJECTED"
    CANCELED = "CANCELED"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order, its name and price frozen from the menu at placement.

    `unit_price` is in the currency's minor unit.
    """

    menu_id: str
    name: str
    quantity: int
    unit_price: int

    @property
    def amount(self) -> int:
        """`quantity` × `unit_price`, in the currency's minor unit."""
        return self.quantity * self.unit_price


@dataclass(frozen=True, slots=True)
class PrivateData:
    """What may be erased, and therefore never stands in an event."""

    name: str | None = field(default=None, repr=False)
    tel: str | None = field(default=None, repr=False)
    payment_token: str | None = field(default=None, repr=False)
    cancel_reason: str | None = field(default=None, repr=False)
    """Why, in the words of customer or barista; the events have a code instead."""
