"""A repeated command id causes nothing; one key for two requests is a misuse."""

import pytest

from actors.contracts.errors import Invalid
from actors.contracts.values import PaymentStatus
from actors.order.domain import commands as cmd
from actors.order.domain import events as ev
from actors.order.domain.order import evolve
from tests.support.orders import (
    ACCEPTED,
    ACCEPTED_LIFE,
    APPROVED,
    CANCELED,
    ERASED,
    PICKED_UP,
    PLACED,
    PREPARING_LIFE,
    READY,
    READY_LIFE,
    REQUESTED,
    STARTED,
    given,
    stored,
    when,
)

REPEATS: list[tuple[cmd.Command, tuple[ev.Event, ...], ev.Event]] = [
    (cmd.PayOrder("k", "tok"), (PLACED,), REQUESTED),
    (cmd.CancelOrder("k", ""), ACCEPTED_LIFE, CANCELED),
    (cmd.StartPreparation("k"), ACCEPTED_LIFE, STARTED),
    (cmd.MarkReady("k"), PREPARING_LIFE, READY),
    (cmd.CompletePickup("k"), READY_LIFE, PICKED_UP),
    (cmd.RejectOrder("k", "broken"), ACCEPTED_LIFE, ev.PickupRejected("store_rejected")),
    (cmd.ExpirePayment("k"), (PLACED,), ev.OrderCanceled("payment_timeout", "system")),
    (cmd.EraseCustomer("k"), (PLACED,), ERASED),
]


@pytest.mark.parametrize(
    ("command", "before", "event"), REPEATS, ids=lambda value: type(value).__name__
)
def test_a_repeated_command_id_causes_nothing_and_is_not_refused(
    command: cmd.Command, before: tuple[ev.Event, ...], event: ev.Event
) -> None:
    order = evolve(given(*before), stored(event, len(before) + 1, "k"))
    assert when(order, command) == ()


def test_a_repeated_payment_is_not_refused_although_the_order_moved_on() -> None:
    placed = evolve(given(PLACED), stored(REQUESTED, 2, "pay"))
    accepted = evolve(evolve(placed, stored(APPROVED, 3)), stored(ACCEPTED, 4))
    assert when(accepted, cmd.PayOrder("pay", "tok")) == ()
    assert accepted.attempt_status("pay") is PaymentStatus.APPROVED


def test_one_key_for_two_different_requests_is_a_misuse() -> None:
    order = evolve(given(*ACCEPTED_LIFE), stored(CANCELED, 5, "key"))
    with pytest.raises(Invalid, match="idempotency_mismatch"):
        when(order, cmd.PayOrder("key", "tok"))


def test_one_key_for_two_different_bodies_is_a_misuse() -> None:
    order = evolve(given(PLACED), stored(REQUESTED, 2, "key:one card"))
    assert when(order, cmd.PayOrder("key:one card", "tok")) == ()
    for another in ("another card", "the other card"):
        with pytest.raises(Invalid, match="idempotency_mismatch"):
            when(order, cmd.PayOrder(f"key:{another}", "tok_other"))


def test_a_key_whose_body_was_not_kept_is_known_by_the_kind_of_its_request() -> None:
    order = evolve(given(PLACED), stored(REQUESTED, 2, "key"))
    assert when(order, cmd.PayOrder("key:any card", "tok")) == ()
    with pytest.raises(Invalid, match="idempotency_mismatch"):
        when(order, cmd.CancelOrder("key:a reason", "rain"))


def test_a_request_that_tells_no_body_is_known_by_its_kind() -> None:
    order = evolve(given(PLACED), stored(REQUESTED, 2, "key:one card"))
    assert when(order, cmd.PayOrder("key", "tok")) == ()
    with pytest.raises(Invalid, match="idempotency_mismatch"):
        when(order, cmd.CancelOrder("key", "rain"))


def test_the_key_that_placed_an_order_cannot_pay_it() -> None:
    with pytest.raises(Invalid, match="idempotency_mismatch"):
        when(given(PLACED), cmd.PayOrder("place:a card", "tok"))


def test_a_request_that_found_its_work_done_uses_up_no_key() -> None:
    order = given(*PREPARING_LIFE)
    assert when(order, cmd.StartPreparation("key:start")) == ()
    assert when(order, cmd.MarkReady("key:ready")) == (READY,)


def test_events_that_nobody_asked_for_leave_no_command_id() -> None:
    assert [key for key, _ in given(*ACCEPTED_LIFE).requests.items()] == ["place"]
