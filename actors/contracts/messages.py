"""What travels between actors: requests to order, payment and store, and their replies."""

from datetime import datetime

from msgspec import Struct

from actors.contracts.values import Line


class Message(Struct, frozen=True, tag=True, kw_only=True, omit_defaults=True):
    """Travels with its kind, by which the other side knows it.

    `trace` is the context of the trace that it is a part of, where the sender traces. Whoever knows
    no such field passes over it.
    """

    trace: dict[str, str] | None = None


class OrderRequest(Message, frozen=True):
    """Hand `command` (packed) to the order's mailbox; wait up to `wait` seconds until settled."""

    order_id: str
    command: bytes
    wait: float


class OrderReply(Message, frozen=True):
    """The order after a command. `detail` is the response-ready JSON of the order detail.

    `settled`: nothing is outstanding that the sender of this command waits for. `replayed`: the
    command had been carried out before. `attempt`: for a payment, the status of the attempt that
    this command asked for.
    """

    detail: bytes
    version: int
    order_status: str
    settled: bool
    replayed: bool
    attempt: str | None


class ChargeRequest(Message, frozen=True):
    """Charge `amount` (minor unit) to `token`; idempotent by order and attempt."""

    order_id: str
    attempt: int
    amount: int
    currency: str
    token: str


class RefundRequest(Message, frozen=True):
    """Undo whatever was charged for the order, and refuse what may still come.

    `attempts`: how many charges the order asked for; payment may not know of the last one.
    """

    order_id: str
    attempts: int


class PaymentReply(Message, frozen=True):
    """What the payment service knows now: status APPROVED, DECLINED or CANCELED.

    `was_approved`: it said APPROVED at some time, whatever it says now.
    """

    payment_id: str | None
    status: str
    was_approved: bool = False


class TicketRequest(Message, frozen=True):
    """Make this order; idempotent by order."""

    order_id: str
    store_id: str
    lines: tuple[Line, ...]
    customer_name: str | None


class TicketUpdate(Message, frozen=True):
    """Show `status` on the ticket unless a higher `version` was seen; `erase` drops the name.

    `reason` says why, where the barista gave the order up.
    """

    order_id: str
    status: str
    version: int
    erase: bool
    reason: str | None = None


class TicketCancellation(Message, frozen=True):
    """Undo the ticket, and refuse one that may still come."""

    order_id: str
    store_id: str


class TicketReply(Message, frozen=True):
    """The ticket as the store has it now. `reason` says why a REJECTED one was."""

    status: str
    number: str | None = None
    estimated_ready_at: datetime | None = None
    reason: str | None = None


class StoreChange(Message, frozen=True):
    """Open, close or limit a store; `None` leaves `open` as it is."""

    store_id: str
    open: bool | None
    set_capacity: bool
    capacity: int | None


class MenuItemChange(Message, frozen=True):
    """Change a menu item; `None` leaves a field as it is."""

    store_id: str
    menu_id: str
    sold_out: bool | None
    price: int | None


class HealthRequest(Message, frozen=True):
    """Asks whether the work of this process goes on."""


class HealthReply(Message, frozen=True):
    """What does not go on in process `pid` and should, in a few words; None where all does."""

    pid: int
    trouble: str | None


class Done(Message, frozen=True):
    """Carried out; there is nothing else to say."""


class Failure(Message, frozen=True):
    """A `SirenError` instead of a reply: which one, and what it was made of."""

    error: str
    args: tuple[str | int | tuple[str, ...], ...]
