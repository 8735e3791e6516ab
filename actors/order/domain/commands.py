"""What an order can be asked to do. Imperative; each may be refused, and each carries its id.

A placement makes the order, or repeats what made it. Requests come from people; their id is two
hashes, of the sender's key and of what was asked under it (see `parts_of`). Outcomes come from the
saga's steps: what payment or store answered; their id is empty, because the state alone tells
whether they are news.
"""

from dataclasses import dataclass, field
from datetime import datetime

from actors.contracts.values import Line, PrivateData

BETWEEN_HASHES = ":"


def parts_of(command_id: str) -> tuple[str, str]:
    """Return the hashes of key and body; the body's is "" where it was not kept."""
    key, _, body = command_id.partition(BETWEEN_HASHES)
    return key, body


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Place an order with prices taken from the menu; `pay` asks for the first charge at once.

    `expected_total` is what the customer agreed to pay, in the minor unit; None: whatever it is.
    It has to be paid within `pay_within_s` seconds from when it is placed. `payment_due` says the
    same by the sender's clock: what a sender says that does not know `pay_within_s`, and what is
    read by a host that does not.
    """

    id: str
    customer_id: str
    store_id: str
    lines: tuple[Line, ...]
    currency: str
    body_hash: str
    payment_due: datetime
    pay: bool
    private: PrivateData
    expected_total: int | None = None
    pay_within_s: float | None = None


@dataclass(frozen=True, slots=True)
class RepeatPlacement:
    """Answer with the order that this key has placed, whatever may be said of it today.

    `body_hash` is that of the repeat: it tells whether the same order is asked for.
    """

    id: str
    body_hash: str


Placement = PlaceOrder | RepeatPlacement


@dataclass(frozen=True, slots=True)
class PayOrder:
    """Charge the order's total to `token`.

    `refusal`: why its store is known not to make the order, as a code; None: nothing is known.
    """

    id: str
    token: str = field(repr=False)
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel while nothing is being prepared. `by`: customer, or owner."""

    id: str
    reason: str = field(repr=False)
    by: str = "customer"


@dataclass(frozen=True, slots=True)
class StartPreparation:
    """The barista begins."""

    id: str


@dataclass(frozen=True, slots=True)
class MarkReady:
    """The barista calls the number."""

    id: str


@dataclass(frozen=True, slots=True)
class CompletePickup:
    """The customer took the coffee."""

    id: str


@dataclass(frozen=True, slots=True)
class RejectOrder:
    """The store gives the order up, also while preparing or when nobody came."""

    id: str
    reason: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ExpirePayment:
    """The payment deadline has passed."""

    id: str


@dataclass(frozen=True, slots=True)
class EraseCustomer:
    """Forget the customer's name and phone number."""

    id: str


Request = (
    PayOrder
    | CancelOrder
    | StartPreparation
    | MarkReady
    | CompletePickup
    | RejectOrder
    | ExpirePayment
    | EraseCustomer
)


@dataclass(frozen=True, slots=True)
class RecordApproval:
    """Payment answered: charged."""

    id: str
    attempt: int
    payment_id: str


@dataclass(frozen=True, slots=True)
class RecordDecline:
    """Payment answered: refused."""

    id: str
    attempt: int
    payment_id: str


@dataclass(frozen=True, slots=True)
class RecordTicket:
    """The store answered: it makes the order."""

    id: str
    number: str
    estimated_ready_at: datetime


@dataclass(frozen=True, slots=True)
class RecordTicketRejection:
    """The store answered: it does not make the order."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecordTicketCanceled:
    """The store answered: there is no ticket any more, and never will be."""

    id: str


@dataclass(frozen=True, slots=True)
class RecordPaymentCanceled:
    """Payment answered: there is no charge any more, and never will be."""

    id: str
    payment_id: str | None


Outcome = (
    RecordApproval
    | RecordDecline
    | RecordTicket
    | RecordTicketRejection
    | RecordTicketCanceled
    | RecordPaymentCanceled
)
Command = Placement | Request | Outcome
