"""Stored facts about an order. Past tense, immutable, without name, phone number or card token."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from actors.contracts.values import Line


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """The order exists. `body_hash` tells a repeat of the request from a misuse of its key."""

    customer_id: str
    store_id: str
    lines: tuple[Line, ...]
    total: int
    currency: str
    body_hash: str
    payment_due: datetime


@dataclass(frozen=True, slots=True)
class PaymentRequested:
    """The intent to charge, journalled before anybody is asked to. `attempt` counts from 1."""

    attempt: int
    amount: int


@dataclass(frozen=True, slots=True)
class PaymentApproved:
    """The charge of this attempt went through."""

    attempt: int
    payment_id: str


@dataclass(frozen=True, slots=True)
class PaymentDeclined:
    """The charge of this attempt was refused; the order may be paid again."""

    attempt: int
    payment_id: str


@dataclass(frozen=True, slots=True)
class PickupStarted:
    """The store took the order: the number that will be called, and when."""

    number: str
    estimated_ready_at: datetime


@dataclass(frozen=True, slots=True)
class PickupRejected:
    """The store does not make the order, or gave it up. `reason` is a code."""

    reason: str


@dataclass(frozen=True, slots=True)
class PreparationStarted:
    """The barista began; the customer can no longer cancel."""


@dataclass(frozen=True, slots=True)
class PickupReady:
    """The number is called."""


@dataclass(frozen=True, slots=True)
class PickedUp:
    """The customer has the coffee."""


@dataclass(frozen=True, slots=True)
class OrderCanceled:
    """The decision to cancel; what was done is undone after it.

    `by`: customer, store, system or owner. `reason` is a code; what somebody wrote is private data.
    """

    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class PickupCanceled:
    """The ticket is undone, or will never be opened."""


@dataclass(frozen=True, slots=True)
class PaymentCanceled:
    """The charge is undone, or will never be made."""

    payment_id: str | None


@dataclass(frozen=True, slots=True)
class CustomerErased:
    """Name and phone number were erased."""


Event = (
    OrderPlaced
    | PaymentRequested
    | PaymentApproved
    | PaymentDeclined
    | PickupStarted
    | PickupRejected
    | PreparationStarted
    | PickupReady
    | PickedUp
    | OrderCanceled
    | PickupCanceled
    | PaymentCanceled
    | CustomerErased
)


class StoredEvent(NamedTuple):
    """An event in its envelope, as the journal keeps it. `version` counts from 1 per order."""

    order_id: str
    version: int
    event: Event
    at: datetime
    command_id: str
