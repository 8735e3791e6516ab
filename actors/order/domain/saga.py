"""The saga, derived from the state: which steps an order needs next.

There is no saga table and no "current step": after any event and any crash the next steps are
computed afresh. A step may run twice; payment and store make repeats harmless.
"""

from dataclasses import dataclass
from datetime import datetime

from actors.contracts.values import OrderStatus, PaymentStatus, PickupStatus
from actors.order.domain.order import Order


@dataclass(frozen=True, slots=True)
class AuthorizePayment:
    """Charge the order's total for this attempt. Answer: approved or declined."""

    attempt: int


@dataclass(frozen=True, slots=True)
class OpenTicket:
    """Ask the store to make the order. Answer: a number and an estimate, or a reason why not."""


@dataclass(frozen=True, slots=True)
class UpdateTicket:
    """Bring the store's ticket to where the order is; the store keeps the highest `version`."""

    version: int


@dataclass(frozen=True, slots=True)
class CancelTicket:
    """Compensate OpenTicket, also one that never arrived."""


@dataclass(frozen=True, slots=True)
class CancelPayment:
    """Compensate AuthorizePayment, also one that never arrived."""


Step = AuthorizePayment | OpenTicket | UpdateTicket | CancelTicket | CancelPayment


def work_of(step: Step) -> str:
    """Return what tells a step from all others of its order, now and after a restart."""
    match step:
        case AuthorizePayment(attempt=number) | UpdateTicket(version=number):
            return f"{type(step).__name__} {number}"
    return type(step).__name__


def next_steps(order: Order, ticket_acknowledged: int) -> tuple[Step, ...]:
    """Return the steps that are outstanding.

    `ticket_acknowledged` is the highest ticket version that the store confirmed. Compensation
    runs in reverse: the ticket first, the payment once no ticket is left. An update waits for
    whatever opens or cancels the ticket, so that it meets the ticket's last shape.
    """
    step = _customer_step(order)
    if order.ticket_version <= ticket_acknowledged or (step and _may_touch_ticket(step, order)):
        return () if step is None else (step,)
    update = UpdateTicket(order.ticket_version)
    return (update,) if step is None else (step, update)


def _may_touch_ticket(step: Step, order: Order) -> bool:
    """Whether a step may open or cancel the ticket; one may run ahead of its approval's event."""
    return not isinstance(step, CancelPayment) or order.pickup is PickupStatus.NONE


def is_settled(order: Order) -> bool:
    """Whether no step is outstanding that the customer waits for."""
    return _customer_step(order) is None


def due_at(order: Order, ticket_acknowledged: int) -> datetime | None:
    """Return when somebody must look at the order; None where it rests.

    Its last change where a step is outstanding, the payment deadline where it waits to be paid.
    """
    if next_steps(order, ticket_acknowledged):
        return order.last_at
    return order.payment_due if order.status is OrderStatus.PLACED else None


def _customer_step(order: Order) -> Step | None:
    if order.status is OrderStatus.PLACED and order.payment is PaymentStatus.PENDING:
        return AuthorizePayment(order.attempts)
    if order.status is OrderStatus.PAID:
        return OpenTicket()
    if order.status is OrderStatus.CANCELING:
        return CancelTicket() if order.ticket_may_exist else CancelPayment()
    return None
