"""Which steps an order needs next, derived from its state alone."""

import pytest

from actors.order.domain import events as ev
from actors.order.domain.order import Order
from actors.order.domain.saga import (
    AuthorizePayment,
    CancelPayment,
    CancelTicket,
    OpenTicket,
    Step,
    UpdateTicket,
    due_at,
    is_settled,
    next_steps,
    work_of,
)
from tests.support.orders import (
    ACCEPTED_LIFE,
    APPROVED,
    CANCELED,
    CANCELED_LIFE,
    CHARGE_UNDONE,
    DECLINED,
    DUE,
    ERASED,
    PAID_LIFE,
    PICKED_UP_LIFE,
    PLACED,
    PREPARING_LIFE,
    READY_LIFE,
    REQUESTED,
    TICKET_UNDONE,
    TOTAL,
    at,
    given,
)

SECOND = ev.PaymentRequested(2, TOTAL)
GIVEN_UP = (ev.PickupRejected("broken"), ev.OrderCanceled("broken", "store"))


def outstanding(order: Order) -> tuple[Step, ...]:
    """The steps where the store has confirmed every ticket update so far."""
    return next_steps(order, order.ticket_version)


@pytest.mark.parametrize(
    ("life", "steps"),
    [
        pytest.param((PLACED,), (), id="unpaid"),
        pytest.param((PLACED, REQUESTED), (AuthorizePayment(1),), id="payment requested"),
        pytest.param((PLACED, REQUESTED, DECLINED), (), id="declined"),
        pytest.param((PLACED, REQUESTED, DECLINED, SECOND), (AuthorizePayment(2),), id="again"),
        pytest.param(PAID_LIFE, (OpenTicket(),), id="PAID"),
        pytest.param(ACCEPTED_LIFE, (), id="ACCEPTED"),
        pytest.param(PREPARING_LIFE, (), id="PREPARING"),
        pytest.param(READY_LIFE, (), id="READY"),
        pytest.param(PICKED_UP_LIFE, (), id="PICKED_UP"),
        pytest.param(CANCELED_LIFE, (), id="CANCELED"),
    ],
)
def test_each_state_has_its_step(life: tuple[ev.Event, ...], steps: tuple[Step, ...]) -> None:
    assert outstanding(given(*life)) == steps


def test_compensation_runs_in_reverse_the_ticket_first_then_the_payment() -> None:
    assert outstanding(given(*ACCEPTED_LIFE, CANCELED)) == (CancelTicket(),)
    assert outstanding(given(*ACCEPTED_LIFE, CANCELED, TICKET_UNDONE)) == (CancelPayment(),)
    assert outstanding(given(*ACCEPTED_LIFE, CANCELED, TICKET_UNDONE, CHARGE_UNDONE)) == ()


def test_a_ticket_that_may_have_been_opened_is_cancelled_too() -> None:
    assert outstanding(given(*PAID_LIFE, CANCELED)) == (CancelTicket(),)


def test_a_charge_that_may_have_been_made_is_cancelled_too() -> None:
    assert outstanding(given(PLACED, REQUESTED, CANCELED)) == (CancelPayment(),)


def test_a_late_approval_while_canceling_is_undone() -> None:
    assert outstanding(given(PLACED, REQUESTED, CANCELED, APPROVED)) == (CancelPayment(),)


def test_a_store_that_rejected_the_ticket_is_not_asked_to_cancel_it() -> None:
    assert outstanding(given(*PAID_LIFE, *GIVEN_UP)) == (CancelPayment(),)


def test_nothing_is_undone_where_nothing_was_done() -> None:
    assert outstanding(given(PLACED, CANCELED)) == ()
    assert outstanding(given(PLACED, REQUESTED, DECLINED, CANCELED)) == ()


@pytest.mark.parametrize("life", [PREPARING_LIFE, READY_LIFE, PICKED_UP_LIFE])
def test_the_barista_s_word_is_brought_to_the_ticket(life: tuple[ev.Event, ...]) -> None:
    order = given(*life)
    assert next_steps(order, order.version - 1) == (UpdateTicket(order.version),)
    assert next_steps(order, order.version) == ()


def test_an_older_confirmation_does_not_silence_a_newer_update() -> None:
    assert next_steps(given(*READY_LIFE), 5) == (UpdateTicket(6),)


def test_a_confirmation_that_is_ahead_of_what_was_read_is_one() -> None:
    """Another system of the same database may have told the ticket more already."""
    assert next_steps(given(*PREPARING_LIFE), 6) == ()


def test_an_order_given_up_by_the_store_is_refunded_and_told_to_the_ticket() -> None:
    order = given(*READY_LIFE, *GIVEN_UP)
    assert next_steps(order, 0) == (CancelPayment(), UpdateTicket(7))


def test_a_finished_order_still_tells_its_ticket() -> None:
    refunded = given(*READY_LIFE, *GIVEN_UP, CHARGE_UNDONE)
    assert next_steps(refunded, 6) == (UpdateTicket(7),)


def test_an_update_waits_until_the_ticket_is_opened_or_cancelled() -> None:
    assert next_steps(given(*PAID_LIFE, ERASED), 0) == (OpenTicket(),)
    assert next_steps(given(*ACCEPTED_LIFE, ERASED, CANCELED), 0) == (CancelTicket(),)
    undone = given(*ACCEPTED_LIFE, ERASED, CANCELED, TICKET_UNDONE)
    assert next_steps(undone, 0) == (CancelPayment(), UpdateTicket(5))


def test_an_update_waits_for_the_refund_of_a_charge_whose_ticket_may_have_run_ahead() -> None:
    """The store may have been asked before the approval was written down."""
    for happened in ((CANCELED,), (CANCELED, APPROVED)):
        order = given(PLACED, REQUESTED, ERASED, *happened)
        assert next_steps(order, 0) == (CancelPayment(),)
    undone = given(PLACED, REQUESTED, ERASED, CANCELED, TICKET_UNDONE, CHARGE_UNDONE)
    assert next_steps(undone, 0) == (UpdateTicket(3),)


def test_erasing_a_customer_before_any_ticket_tells_no_ticket() -> None:
    assert next_steps(given(PLACED, ERASED), 0) == ()


@pytest.mark.parametrize(
    ("life", "settled"),
    [
        pytest.param((PLACED,), True, id="unpaid"),
        pytest.param((PLACED, REQUESTED), False, id="in flight"),
        pytest.param((PLACED, REQUESTED, DECLINED), True, id="declined"),
        pytest.param(PAID_LIFE, False, id="PAID"),
        pytest.param(ACCEPTED_LIFE, True, id="ACCEPTED"),
        pytest.param((*ACCEPTED_LIFE, CANCELED), False, id="CANCELING"),
        pytest.param(CANCELED_LIFE, True, id="CANCELED"),
    ],
)
def test_settled_means_that_the_customer_waits_for_nothing(
    life: tuple[ev.Event, ...], *, settled: bool
) -> None:
    assert is_settled(given(*life)) is settled


def test_an_order_with_an_outstanding_step_is_due_since_its_last_change() -> None:
    assert due_at(given(*PAID_LIFE), 0) == at(3)


def test_an_unconfirmed_ticket_update_keeps_an_order_due() -> None:
    assert due_at(given(*PICKED_UP_LIFE), 6) == at(7)
    assert due_at(given(*PICKED_UP_LIFE), 7) is None


@pytest.mark.parametrize("life", [(PLACED,), (PLACED, REQUESTED, DECLINED)])
def test_an_order_that_waits_for_its_customer_is_due_at_the_deadline(
    life: tuple[ev.Event, ...],
) -> None:
    assert due_at(given(*life), 0) == DUE


@pytest.mark.parametrize("life", [ACCEPTED_LIFE, CANCELED_LIFE])
def test_an_order_that_rests_is_never_due(life: tuple[ev.Event, ...]) -> None:
    assert due_at(given(*life), 0) is None


STEPS: dict[Step, str] = {
    AuthorizePayment(2): "AuthorizePayment 2",
    OpenTicket(): "OpenTicket",
    UpdateTicket(7): "UpdateTicket 7",
    CancelTicket(): "CancelTicket",
    CancelPayment(): "CancelPayment",
}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_s_work_is_noted_by_the_same_name_for_ever(step: Step) -> None:
    assert work_of(step) == STEPS[step]


def test_two_steps_for_the_same_are_one() -> None:
    again = (AuthorizePayment(2), OpenTicket(), UpdateTicket(7), CancelTicket(), CancelPayment())
    assert set(STEPS) == set(again)
    assert AuthorizePayment(3) not in STEPS
