"""Payment and store in memory, with the rules that make repeats and late arrivals harmless."""

from dataclasses import dataclass, field
from enum import StrEnum

from actors.contracts.values import PickupStatus
from actors.order.domain import commands as cmd
from actors.order.domain.order import Order
from actors.order.domain.saga import (
    AuthorizePayment,
    CancelPayment,
    CancelTicket,
    OpenTicket,
    Step,
    UpdateTicket,
)
from tests.support.orders import NOON

GONE = ("CANCELED", "REJECTED", "PICKED_UP")


@dataclass(frozen=True)
class Acknowledged:
    """The store's answer to `UpdateTicket`; no command, the host keeps it."""

    version: int


Reply = cmd.Outcome | Acknowledged


@dataclass
class Payment:
    """One order's payments: answers by attempt, a tombstone, and what the provider holds."""

    answers: dict[int, str] = field(default_factory=dict)
    live_charges: set[int] = field(default_factory=set)
    dead_keys: set[int] = field(default_factory=set)
    tombstone: bool = False

    def charge(self, attempt: int, *, approve: bool) -> None:
        """The provider's side of an authorization; a cancelled key stays cancelled."""
        if attempt not in self.answers and attempt not in self.dead_keys and approve:
            self.live_charges.add(attempt)

    @property
    def was_approved(self) -> bool:
        return "APPROVED" in self.answers.values()

    def record(self, attempt: int) -> Reply | None:
        """The transaction after the provider's answer, which looks at the tombstone again."""
        if self.tombstone and self.answers.get(attempt) != "DECLINED":
            self.live_charges.discard(attempt)
            return None
        if attempt not in self.answers:
            self.answers[attempt] = "APPROVED" if attempt in self.live_charges else "DECLINED"
        if self.answers[attempt] == "APPROVED":
            return cmd.RecordApproval("", attempt, "pay-1")
        return cmd.RecordDecline("", attempt, "pay-1")

    def cancel(self, attempts: int) -> Reply:
        """Refuse what may still come, then refund what came."""
        self.tombstone = True
        self.dead_keys.update(range(1, attempts + 1))
        self.live_charges.clear()
        if self.answers.get(attempts) == "DECLINED":
            return cmd.RecordDecline("", attempts, "pay-1")
        return cmd.RecordPaymentCanceled("", "pay-1" if self.answers else None)


@dataclass
class Store:
    """One order's ticket."""

    status: str | None = None
    version: int = 0
    named: bool = False
    tombstone: bool = False

    @property
    def works_on_it(self) -> bool:
        return self.status is not None and self.status not in GONE

    def open(self, *, named: bool, accept: bool) -> Reply | None:
        if self.tombstone:
            return None
        if self.status is None:
            self.status, self.named = "ACCEPTED" if accept else "REJECTED", named
        if self.status == "REJECTED":
            return cmd.RecordTicketRejection("", "sold_out")
        return cmd.RecordTicket("", "A-001", NOON)

    def update(self, status: str, version: int, *, erase: bool) -> Reply:
        if version > self.version and self.status is not None:
            if self.status != "CANCELED":  # an update that was sent before may come after
                self.status = status
            self.version = version
            self.named = self.named and not erase
        return Acknowledged(version)

    def cancel(self) -> Reply:
        self.tombstone = True
        if self.works_on_it:
            self.status = "CANCELED"
        return cmd.RecordTicketCanceled("")


@dataclass(frozen=True)
class Message:
    """A step on its way to its participant, with what it says of the order; it may be late."""

    step: Step
    attempts: int
    pickup: str
    erased: bool

    @classmethod
    def about(cls, step: Step, order: Order) -> "Message":
        return cls(step, order.attempts, order.pickup, order.erased)


class Ahead(StrEnum):
    """What becomes of the ticket that is asked for as soon as payment has its approval."""

    NOT_ASKED = "the order's process dies before"
    UNHEARD = "the store's answer is lost or too late"
    HEARD = "the store answers in time"


def deliver(
    message: Message, payment: Payment, store: Store, *, approve: bool, ahead: Ahead
) -> tuple[Reply, ...]:
    """Let the participants do what the message says, as `Steps` would, and return their answers."""
    match message.step:
        case AuthorizePayment(attempt=attempt):
            payment.charge(attempt, approve=approve)
            answer = payment.record(attempt)
            if not isinstance(answer, cmd.RecordApproval) or ahead is Ahead.NOT_ASKED:
                return _those(answer)
            ticket = store.open(named=not message.erased, accept=approve)
            return _those(answer, ticket if ahead is Ahead.HEARD else None)
        case OpenTicket():
            return _those(store.open(named=not message.erased, accept=approve))
        case UpdateTicket(version=version):
            return _those(store.update(message.pickup, version, erase=message.erased))
        case CancelTicket():
            return _those(store.cancel())
        case CancelPayment():
            refunded = payment.cancel(message.attempts)
            if payment.was_approved and message.pickup == PickupStatus.NONE:
                return _those(store.cancel(), refunded)
            return _those(refunded)


def _those(*answers: Reply | None) -> tuple[Reply, ...]:
    return tuple(answer for answer in answers if answer is not None)
