"""The rules of an order: given events, when a command comes, then events or a refusal."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from actors.contracts.errors import Invalid, NotFound, Rejected
from actors.contracts.values import OrderStatus, PickupStatus
from actors.order.domain import commands as cmd
from actors.order.domain import events as ev
from actors.order.domain.order import Order
from tests.support.orders import (
    ACCEPTED,
    ACCEPTED_LIFE,
    APPROVED,
    CANCELED,
    CANCELED_LIFE,
    CHARGE_UNDONE,
    DECLINED,
    DUE,
    ERASED,
    NOON,
    PAID_LIFE,
    PICKED_UP,
    PICKED_UP_LIFE,
    PLACED,
    PREPARING_LIFE,
    PRIVATE,
    READY,
    READY_LIFE,
    REQUESTED,
    STARTED,
    TICKET_UNDONE,
    TOTAL,
    at,
    given,
    place,
    when,
)

APPROVAL = cmd.RecordApproval("", 1, "pay-1")
TICKET = cmd.RecordTicket("", ACCEPTED.number, ACCEPTED.estimated_ready_at)
STATUSES = {
    "PLACED": (PLACED,),
    "PAID": PAID_LIFE,
    "ACCEPTED": ACCEPTED_LIFE,
    "PREPARING": PREPARING_LIFE,
    "READY": READY_LIFE,
    "PICKED_UP": PICKED_UP_LIFE,
    "CANCELING": (*ACCEPTED_LIFE, CANCELED),
    "CANCELED": CANCELED_LIFE,
}


def statuses(order: Order) -> tuple[str, str, str]:
    return order.status, order.payment, order.pickup


def refusal(order: Order, command: cmd.Command) -> str:
    with pytest.raises(Rejected) as refused:
        when(order, command)
    return refused.value.code


# --- placing ------------------------------------------------------------------------------------


def test_an_order_with_a_payment_is_placed_and_asks_for_it_at_once() -> None:
    assert when(None, place()) == (PLACED, REQUESTED)


def test_an_order_without_a_payment_waits_to_be_paid() -> None:
    assert when(None, place(pay=False)) == (PLACED,)
    assert statuses(given(PLACED)) == ("PLACED", "NONE", "NONE")


def test_the_total_is_the_sum_of_the_menu_prices() -> None:
    assert given(PLACED).total == 2 * 4500 + 3500 == TOTAL


def test_the_time_to_pay_counts_from_the_placement_whatever_the_senders_clock_says() -> None:
    due = [
        event.payment_due
        for senders in (NOON - timedelta(hours=1), NOON + timedelta(hours=1))
        for event in when(None, replace(place(), payment_due=senders, pay_within_s=900.0))
        if isinstance(event, ev.OrderPlaced)
    ]
    assert due == [NOON + timedelta(seconds=900)] * 2


def test_a_sender_of_before_says_the_deadline_as_a_moment() -> None:
    assert when(None, place(pay=False)) == (PLACED,)
    assert place().pay_within_s is None
    assert PLACED.payment_due == DUE


def test_placing_again_with_the_same_body_changes_nothing_whatever_happened_since() -> None:
    for life in STATUSES.values():
        assert when(given(*life), place()) == ()


def test_placing_again_with_another_body_is_a_misuse_of_the_key() -> None:
    with pytest.raises(Invalid) as misuse:
        when(given(PLACED), place(body_hash="other"))
    assert misuse.value.code == "idempotency_mismatch"


def test_no_event_holds_a_name_a_phone_number_or_a_card_token() -> None:
    told = repr(when(None, place()) + when(given(PLACED), cmd.PayOrder("p", "tok_secret")))
    for secret in (PRIVATE.name, PRIVATE.tel, PRIVATE.payment_token, "tok_secret"):
        assert str(secret) not in told


@pytest.mark.parametrize(
    "command", [cmd.PayOrder("x", "tok"), cmd.CancelOrder("x", ""), APPROVAL], ids=repr
)
def test_nothing_can_be_done_with_an_order_that_does_not_exist(command: cmd.Command) -> None:
    with pytest.raises(NotFound):
        when(None, command)


@pytest.mark.parametrize("status", STATUSES)
def test_a_repeated_placement_causes_nothing_whatever_the_order_is_now(status: str) -> None:
    assert when(given(*STATUSES[status]), cmd.RepeatPlacement("place", "hash")) == ()


def test_the_repeat_of_a_different_order_is_a_misuse() -> None:
    with pytest.raises(Invalid, match="idempotency_mismatch"):
        when(given(PLACED), cmd.RepeatPlacement("place", "another hash"))


def test_a_repeated_placement_places_nothing() -> None:
    with pytest.raises(NotFound):
        when(None, cmd.RepeatPlacement("place", "hash"))


# --- paying -------------------------------------------------------------------------------------


def test_paying_journals_the_intent_before_anybody_is_asked() -> None:
    assert when(given(PLACED), cmd.PayOrder("pay", "tok")) == (REQUESTED,)


def test_paying_needs_the_order_alone_and_charges_its_total() -> None:
    """The original needed the payment's id, which the screen did not have."""
    (requested,) = when(given(PLACED), cmd.PayOrder("pay", "tok"))
    assert requested == ev.PaymentRequested(attempt=1, amount=TOTAL)


def test_the_pay_date_is_when_the_approval_was_stored() -> None:
    """The original let the client choose it."""
    assert given(*PAID_LIFE).paid_at == at(3)


def test_an_approved_payment_asks_the_store() -> None:
    assert when(given(PLACED, REQUESTED), APPROVAL) == (APPROVED,)
    assert statuses(given(*PAID_LIFE)) == ("PAID", "APPROVED", "REQUESTED")


def test_the_store_sees_nothing_of_an_unpaid_order() -> None:
    for life in [(PLACED,), (PLACED, REQUESTED), (PLACED, REQUESTED, DECLINED)]:
        assert given(*life).pickup is PickupStatus.NONE
        assert when(given(*life), TICKET) == ()


def test_a_declined_payment_leaves_the_order_placed_and_payable_again() -> None:
    assert when(given(PLACED, REQUESTED), cmd.RecordDecline("", 1, "pay-1")) == (DECLINED,)
    declined = given(PLACED, REQUESTED, DECLINED)
    assert statuses(declined) == ("PLACED", "DECLINED", "NONE")
    assert when(declined, cmd.PayOrder("again", "tok")) == (ev.PaymentRequested(2, TOTAL),)


def test_a_second_payment_is_refused_while_one_is_in_progress() -> None:
    pending = given(PLACED, REQUESTED)
    assert refusal(pending, cmd.PayOrder("second", "tok")) == "payment_in_progress"


@pytest.mark.parametrize("status", [s for s in STATUSES if s != "PLACED"])
def test_only_a_placed_order_can_be_paid(status: str) -> None:
    assert refusal(given(*STATUSES[status]), cmd.PayOrder("late", "tok")) == "not_payable"


def test_an_approval_is_recorded_once() -> None:
    """In the original, every later touch of a payment approved it again: a second ticket."""
    for life in (PAID_LIFE, ACCEPTED_LIFE, PICKED_UP_LIFE):
        assert when(given(*life), APPROVAL) == ()


def test_the_outcome_of_an_earlier_attempt_is_ignored() -> None:
    second = given(PLACED, REQUESTED, DECLINED, ev.PaymentRequested(2, TOTAL))
    assert when(second, APPROVAL) == ()
    assert when(second, cmd.RecordDecline("", 1, "pay-1")) == ()
    approval = cmd.RecordApproval("", 2, "pay-1")
    assert when(second, approval) == (ev.PaymentApproved(2, "pay-1"),)


def test_the_outcome_of_an_attempt_that_is_not_known_yet_is_ignored() -> None:
    """As a host hears it that has not read what another one asked for."""
    first = given(PLACED, REQUESTED)
    assert when(first, cmd.RecordApproval("", 2, "pay-2")) == ()
    assert when(first, cmd.RecordDecline("", 2, "pay-2")) == ()


def test_a_decline_after_the_approval_is_ignored() -> None:
    assert when(given(*PAID_LIFE), cmd.RecordDecline("", 1, "pay-1")) == ()


# --- the payment deadline -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "life",
    [(PLACED,), (PLACED, REQUESTED), (PLACED, REQUESTED, DECLINED)],
    ids=["unpaid", "in flight", "declined"],
)
def test_the_payment_deadline_cancels_an_order_that_is_not_paid(life: tuple[ev.Event, ...]) -> None:
    expired = (ev.OrderCanceled("payment_timeout", "system"),)
    for now in (DUE, DUE + timedelta(hours=1)):
        assert when(given(*life), cmd.ExpirePayment(""), now) == expired


def test_nothing_expires_before_the_deadline() -> None:
    assert when(given(PLACED), cmd.ExpirePayment(""), DUE - timedelta(microseconds=1)) == ()


@pytest.mark.parametrize("status", [s for s in STATUSES if s != "PLACED"])
def test_a_payment_voids_the_deadline(status: str) -> None:
    assert when(given(*STATUSES[status]), cmd.ExpirePayment(""), DUE) == ()


def test_an_overdue_order_cannot_be_paid_even_before_it_is_cancelled() -> None:
    for now in (DUE, DUE + timedelta(hours=1)):
        with pytest.raises(Rejected) as late:
            when(given(PLACED), cmd.PayOrder("late", "tok"), now)
        assert late.value.code == "payment_timeout"


def test_a_decline_does_not_extend_the_deadline() -> None:
    assert given(PLACED, REQUESTED, DECLINED).payment_due == given(PLACED).payment_due == DUE


# --- the store and the barista ------------------------------------------------------------------


def test_the_store_takes_a_paid_order_once() -> None:
    assert when(given(*PAID_LIFE), TICKET) == (ACCEPTED,)
    assert when(given(*ACCEPTED_LIFE), TICKET) == ()
    accepted = given(*ACCEPTED_LIFE)
    assert statuses(accepted) == ("ACCEPTED", "APPROVED", "ACCEPTED")
    assert (accepted.pickup_number, accepted.accepted_at) == ("A-042", at(4))


def test_a_store_that_refuses_causes_rejection_and_cancellation_together() -> None:
    rejection = cmd.RecordTicketRejection("", "sold_out")
    events = when(given(*PAID_LIFE), rejection)
    assert events == (ev.PickupRejected("sold_out"), ev.OrderCanceled("sold_out", "store"))
    order = given(*PAID_LIFE, *events)
    assert statuses(order) == ("CANCELING", "APPROVED", "REJECTED")
    assert order.cancel_reason == "sold_out"


BUTTONS: dict[str, tuple[cmd.Command, tuple[ev.Event, ...], ev.Event]] = {
    "start": (cmd.StartPreparation("b"), ACCEPTED_LIFE, STARTED),
    "ready": (cmd.MarkReady("b"), PREPARING_LIFE, READY),
    "complete": (cmd.CompletePickup("b"), READY_LIFE, PICKED_UP),
}


@pytest.mark.parametrize("button", BUTTONS)
def test_each_button_of_the_barista_emits_its_event(button: str) -> None:
    """In the original, "pickup ready" emitted nothing."""
    command, before, event = BUTTONS[button]
    assert when(given(*before), command) == (event,)


@pytest.mark.parametrize("button", BUTTONS)
def test_pressing_a_button_twice_is_no_error(button: str) -> None:
    command, before, event = BUTTONS[button]
    assert when(given(*before, event), command) == ()


@pytest.mark.parametrize("button", BUTTONS)
def test_a_button_out_of_turn_is_refused(button: str) -> None:
    command, before, event = BUTTONS[button]
    for life in STATUSES.values():
        if life not in (before, (*before, event)):
            assert refusal(given(*life), command) == "out_of_turn"


def test_the_whole_life_of_an_order_leaves_its_times() -> None:
    order = given(*PICKED_UP_LIFE)
    assert statuses(order) == ("PICKED_UP", "APPROVED", "PICKED_UP")
    assert order.version == 7
    times = (order.placed_at, order.paid_at, order.accepted_at, order.ready_at, order.picked_up_at)
    assert times == (at(1), at(3), at(4), at(6), at(7))


@pytest.mark.parametrize("status", ["ACCEPTED", "PREPARING", "READY"])
def test_the_store_may_give_an_order_up_until_it_is_picked_up(status: str) -> None:
    events = when(given(*STATUSES[status]), cmd.RejectOrder("no", "nobody came"))
    rejected = "store_rejected"  # what the barista wrote is private data
    assert events == (ev.PickupRejected(rejected), ev.OrderCanceled(rejected, "store"))


def test_a_reason_that_is_one_of_the_store_s_codes_stays_one() -> None:
    events = when(given(*ACCEPTED_LIFE), cmd.RejectOrder("no", "sold_out"))
    assert events == (ev.PickupRejected("sold_out"), ev.OrderCanceled("sold_out", "store"))


@pytest.mark.parametrize("status", ["PLACED", "PAID", "PICKED_UP", "CANCELING", "CANCELED"])
def test_the_store_cannot_give_up_what_it_does_not_have(status: str) -> None:
    assert refusal(given(*STATUSES[status]), cmd.RejectOrder("no", "why")) == "out_of_turn"


def test_rejecting_twice_is_no_error() -> None:
    order = given(*ACCEPTED_LIFE, ev.PickupRejected("x"), ev.OrderCanceled("x", "store"))
    assert when(order, cmd.RejectOrder("another key", "y")) == ()
    assert when(order._replace(status=OrderStatus.CANCELED), cmd.RejectOrder("third", "y")) == ()


# --- cancelling ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["PLACED", "PAID", "ACCEPTED"])
def test_a_customer_may_cancel_until_preparation_begins(status: str) -> None:
    events = when(given(*STATUSES[status]), cmd.CancelOrder("cancel", "changed my mind"))
    assert events == (CANCELED,)


@pytest.mark.parametrize("status", ["PREPARING", "READY", "PICKED_UP"])
def test_a_customer_cannot_cancel_once_preparation_has_begun(status: str) -> None:
    assert refusal(given(*STATUSES[status]), cmd.CancelOrder("cancel", "rain")) == "not_cancelable"


@pytest.mark.parametrize("status", ["CANCELING", "CANCELED"])
def test_cancelling_twice_is_no_error_and_keeps_the_first_reason(status: str) -> None:
    order = given(*STATUSES[status])
    assert when(order, cmd.CancelOrder("again", "another reason")) == ()
    assert order.cancel_reason == "customer_request"


def test_cancelling_before_any_payment_ends_the_order_at_once() -> None:
    """In the original, this crashed."""
    order = given(PLACED, CANCELED)
    assert statuses(order) == ("CANCELED", "NONE", "NONE")
    assert order.canceled_at == at(2)


def test_cancelling_after_a_decline_leaves_the_payment_declined() -> None:
    assert statuses(given(PLACED, REQUESTED, DECLINED, CANCELED)) == (
        "CANCELED",
        "DECLINED",
        "NONE",
    )


def test_an_order_is_canceled_when_nothing_is_left_to_undo_and_not_before() -> None:
    canceling = given(*ACCEPTED_LIFE, CANCELED)
    assert statuses(canceling) == ("CANCELING", "APPROVED", "ACCEPTED")
    assert when(canceling, cmd.RecordTicketCanceled("")) == (TICKET_UNDONE,)
    halfway = given(*ACCEPTED_LIFE, CANCELED, TICKET_UNDONE)
    assert (halfway.status, halfway.canceled_at) == ("CANCELING", None)
    assert when(halfway, cmd.RecordPaymentCanceled("", "pay-1")) == (CHARGE_UNDONE,)
    done = given(*CANCELED_LIFE)
    assert statuses(done) == ("CANCELED", "CANCELED", "CANCELED")
    assert done.canceled_at == at(7)


@pytest.mark.parametrize("status", [s for s in STATUSES if s != "CANCELING"])
def test_nothing_is_undone_of_an_order_that_is_not_being_cancelled(status: str) -> None:
    assert when(given(*STATUSES[status]), cmd.RecordTicketCanceled("")) == ()
    assert when(given(*STATUSES[status]), cmd.RecordPaymentCanceled("", "pay-1")) == ()


def test_what_was_undone_is_not_undone_again() -> None:
    canceling = (*ACCEPTED_LIFE, CANCELED)
    assert when(given(*canceling, TICKET_UNDONE), cmd.RecordTicketCanceled("")) == ()
    refunded = given(*canceling, CHARGE_UNDONE)
    assert when(refunded, cmd.RecordPaymentCanceled("", "pay-1")) == ()
    rejected = given(*PAID_LIFE, ev.PickupRejected("x"), ev.OrderCanceled("x", "store"))
    assert when(rejected, cmd.RecordTicketCanceled("")) == ()


def test_a_ticket_that_ran_ahead_of_its_approval_is_undone() -> None:
    assert when(given(PLACED, REQUESTED, CANCELED), cmd.RecordTicketCanceled("")) == (
        TICKET_UNDONE,
    )


def test_the_owner_may_cancel_in_the_customer_s_name() -> None:
    asked = cmd.CancelOrder("c", "customer_request", "owner")
    assert when(given(PLACED), asked) == (ev.OrderCanceled("customer_request", "owner"),)


def test_cancelling_keeps_the_history() -> None:
    """The original deleted the order."""
    order = given(*CANCELED_LIFE)
    assert order.version == len(CANCELED_LIFE)
    assert (order.lines, order.total) == (PLACED.lines, TOTAL)
    assert (order.paid_at, order.accepted_at) == (at(3), at(4))


def test_an_approval_that_comes_while_canceling_is_recorded_and_still_undone() -> None:
    """In the original, a late "approved" overwrote "cancelled"."""
    canceling = given(PLACED, REQUESTED, CANCELED)
    assert when(canceling, APPROVAL) == (APPROVED,)
    approved = given(PLACED, REQUESTED, CANCELED, APPROVED)
    assert statuses(approved) == ("CANCELING", "APPROVED", "NONE")
    assert when(approved, cmd.RecordPaymentCanceled("", "pay-1")) == (CHARGE_UNDONE,)


def test_a_decline_that_comes_while_canceling_leaves_nothing_to_undo() -> None:
    assert statuses(given(PLACED, REQUESTED, CANCELED, DECLINED)) == (
        "CANCELED",
        "DECLINED",
        "NONE",
    )


def test_a_ticket_that_is_opened_while_canceling_does_not_revive_the_order() -> None:
    canceling = given(*PAID_LIFE, CANCELED)
    assert when(canceling, TICKET) == ()
    assert when(canceling, cmd.RecordTicketRejection("", "full")) == ()


def test_a_charge_that_was_never_made_is_recorded_as_canceled_without_an_id() -> None:
    order = given(PLACED, REQUESTED, CANCELED, ev.PaymentCanceled(None))
    assert statuses(order) == ("CANCELED", "CANCELED", "NONE")
    assert order.payment_id is None


# --- what is final ------------------------------------------------------------------------------

EVERY_COMMAND: list[cmd.Command] = [
    cmd.RepeatPlacement("place", "hash"),
    cmd.PayOrder("x", "tok"),
    cmd.CancelOrder("x", "late"),
    cmd.StartPreparation("x"),
    cmd.MarkReady("x"),
    cmd.CompletePickup("x"),
    cmd.RejectOrder("x", "late"),
    cmd.ExpirePayment(""),
    APPROVAL,
    cmd.RecordDecline("", 1, "pay-1"),
    TICKET,
    cmd.RecordTicketRejection("", "full"),
    cmd.RecordTicketCanceled(""),
    cmd.RecordPaymentCanceled("", "pay-1"),
]


@pytest.mark.parametrize("life", [PICKED_UP_LIFE, CANCELED_LIFE], ids=["PICKED_UP", "CANCELED"])
@pytest.mark.parametrize("command", EVERY_COMMAND, ids=lambda command: type(command).__name__)
def test_a_finished_order_never_changes(life: tuple[ev.Event, ...], command: cmd.Command) -> None:
    with suppress(Rejected):
        assert when(given(*life), command, DUE) == ()


@pytest.mark.parametrize("status", STATUSES)
def test_a_customer_can_be_erased_at_any_time_once(status: str) -> None:
    order = given(*STATUSES[status])
    assert when(order, cmd.EraseCustomer("e")) == (ERASED,)
    erased = given(*STATUSES[status], ERASED)
    assert when(erased, cmd.EraseCustomer("another")) == ()
    assert statuses(erased) == statuses(order)
