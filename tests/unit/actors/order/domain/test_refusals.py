"""What is told to whoever is refused: a code for programs, a sentence for people."""

from dataclasses import replace
from datetime import datetime

import pytest

from actors.contracts.errors import Invalid, NotFound, PriceChanged, Rejected, SirenError
from actors.contracts.limits import MAX_ATTEMPTS
from actors.order.domain import commands as cmd
from actors.order.domain import events as ev
from tests.support.orders import (
    ACCEPTED_LIFE,
    DECLINED,
    DUE,
    NOON,
    PAID_LIFE,
    PLACED,
    READY_LIFE,
    REQUESTED,
    TOTAL,
    Life,
    given,
    place,
    when,
)

PAY = cmd.PayOrder("p", "tok")
TRIED_OUT: Life = (
    PLACED,
    *(ev.PaymentRequested(n + 1, TOTAL) for n in range(MAX_ATTEMPTS)),
    DECLINED,
)
Refusal = tuple[Life, cmd.Command, type[SirenError], str, str]
REFUSED: list[Refusal] = [
    ((), PAY, NotFound, "order_not_found", "There is no order with this id."),
    (
        (PLACED,),
        place(body_hash="other"),
        Invalid,
        "idempotency_mismatch",
        "This key was used for a different order.",
    ),
    (
        (PLACED,),
        cmd.PayOrder("place", "tok"),
        Invalid,
        "idempotency_mismatch",
        "This key was used for another request.",
    ),
    (PAID_LIFE, PAY, Rejected, "not_payable", "An order that is PAID cannot be paid."),
    (
        (PLACED, REQUESTED),
        PAY,
        Rejected,
        "payment_in_progress",
        "A payment of this order is in progress.",
    ),
    (
        TRIED_OUT,
        PAY,
        Rejected,
        "too_many_attempts",
        "10 payments of this order were declined.",
    ),
    (
        (*TRIED_OUT, ev.PaymentRequested(11, TOTAL), ev.PaymentDeclined(11, "pay-1")),
        PAY,
        Rejected,
        "too_many_attempts",
        "10 payments of this order were declined.",
    ),
    (
        (PLACED,),
        replace(PAY, refusal="sold_out"),
        Rejected,
        "sold_out",
        "Its store does not make this order now.",
    ),
    (
        READY_LIFE,
        cmd.CancelOrder("c", "rain"),
        Rejected,
        "not_cancelable",
        "An order that is READY cannot be cancelled.",
    ),
    (
        ACCEPTED_LIFE,
        cmd.MarkReady("r"),
        Rejected,
        "out_of_turn",
        "The order is ACCEPTED; this needs PREPARING.",
    ),
    (
        PAID_LIFE,
        cmd.RejectOrder("r", "broken"),
        Rejected,
        "out_of_turn",
        "An order that is PAID cannot be rejected.",
    ),
]


def refusal(life: Life, command: cmd.Command, now: datetime = NOON) -> SirenError:
    with pytest.raises(SirenError) as refused:
        when(given(*life) if life else None, command, now)
    return refused.value


@pytest.mark.parametrize("refused", REFUSED, ids=lambda case: f"{case[4]} {len(case[0])}")
def test_a_refusal_says_why(refused: Refusal) -> None:
    life, command, kind, code, sentence = refused
    error = refusal(life, command)
    assert (type(error), error.code, error.detail) == (kind, code, sentence)


def test_who_pays_when_the_deadline_has_come_is_told_so() -> None:
    error = refusal((PLACED,), PAY, DUE)
    assert error.detail == "The payment deadline of this order has passed."


def test_who_expected_another_total_is_told_the_right_one() -> None:
    for expected in (0, TOTAL - 1, TOTAL + 1):
        error = refusal((), replace(place(), expected_total=expected))
        assert isinstance(error, PriceChanged)
        assert error.total == TOTAL


def test_who_expected_the_right_total_or_none_is_not_refused() -> None:
    for expected in (None, TOTAL):
        assert when(None, replace(place(), expected_total=expected)) == (PLACED, REQUESTED)


def test_what_cannot_be_a_request_is_refused_before_anything_is_decided() -> None:
    for order, command in ((None, place("")), (given(PLACED), cmd.PayOrder("", "tok"))):
        with pytest.raises(Invalid) as refused:
            when(order, command)
        assert refused.value.pointer == "/id"
