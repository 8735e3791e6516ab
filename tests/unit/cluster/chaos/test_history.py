"""Histories of one order, as clients could see them: which can be, and which cannot."""

import math
from typing import Any

import pytest

from cluster.chaos.history import Answered, History, check
from cluster.chaos.linearizability import Verdict

ACCEPTED: dict[str, Any] = {"order": "ACCEPTED", "payment": "APPROVED", "pickup": "ACCEPTED"}
PLACED: dict[str, Any] = {"order": "PLACED", "payment": "NONE", "pickup": "NONE"}
PENDING: dict[str, Any] = PLACED | {"payment": "PENDING"}
CANCELED: dict[str, Any] = {"order": "CANCELED", "payment": "CANCELED", "pickup": "CANCELED"}
PREPARING: dict[str, Any] = {"order": "PREPARING", "payment": "APPROVED", "pickup": "PREPARING"}


def detail(version: int, **shown: str) -> dict[str, Any]:
    return {"version": version, **{f"{name}_status": word for name, word in shown.items()}}


def answer(begin: float, end: float, status: int, body: Any = None, tries: int = 1) -> Answered:
    return Answered(begin, end, status, body or {}, tries)


def refused(begin: float, end: float, code: str = "out_of_turn", tries: int = 1) -> Answered:
    return answer(begin, end, 409, {"code": code}, tries)


class Story(History):
    """A history that is told in a line a call; `at` is when the next one begins."""

    def __init__(self, token: str = "tok_approve") -> None:
        super().__init__()
        shown = detail(4, **ACCEPTED) if token else detail(1, **PLACED)
        self.commanded("place", answer(0, 1, 201, shown), token)

    def did(self, name: str, version: int, begin: float = 2, end: float = 3, **shown: Any) -> None:
        self.commanded(name, answer(begin, end, 200, detail(version, **shown)))

    def saw(self, version: int, begin: float = 8, end: float = 9, **shown: Any) -> None:
        self.read(answer(begin, end, 200, detail(version, **shown)))

    def found(self) -> list[str]:
        """The codes of what cannot be."""
        return [violation.code for violation in check("o-1", self)[1]]


IMPOSSIBLE = ["not_linearizable"]


def test_an_order_that_is_made_and_picked_up() -> None:
    story = Story()
    story.did("start", 5, **PREPARING)
    story.did("ready", 6, 4, 5, order="READY", payment="APPROVED", pickup="READY")
    story.did("complete", 7, 6, 7, order="PICKED_UP", payment="APPROVED", pickup="PICKED_UP")
    story.saw(7, order="PICKED_UP", payment="APPROVED", pickup="PICKED_UP")
    assert story.found() == []


def test_a_start_that_is_gone_from_a_later_read_was_lost() -> None:
    story = Story()
    story.did("start", 5, **PREPARING)
    story.saw(4, **ACCEPTED)
    assert story.found() == IMPOSSIBLE


def test_a_read_of_the_order_that_began_after_a_change_may_not_be_stale() -> None:
    story = Story()
    story.did("start", 5, 2, 6, **PREPARING)
    story.saw(4, 3, 5, **ACCEPTED)
    assert story.found() == []
    story.saw(4, 7, 8, **ACCEPTED)
    assert story.found() == IMPOSSIBLE


def test_an_order_that_was_acknowledged_is_never_gone() -> None:
    story = Story()
    story.read(answer(8, 9, 404))
    assert story.found() == IMPOSSIBLE


def test_a_command_to_an_order_that_was_acknowledged_finds_it() -> None:
    story = Story()
    story.commanded("start", answer(2, 3, 404))
    assert story.found() == IMPOSSIBLE


def test_of_two_payments_one_is_refused() -> None:
    story = Story("")
    story.commanded("pay", answer(2, 4, 200, detail(4, **ACCEPTED)), "tok_approve")
    story.commanded("pay", refused(2, 4, "payment_in_progress"), "tok_approve")
    assert story.found() == []


def test_two_payments_that_both_went_through_are_one_too_many() -> None:
    story = Story("")
    for _ in range(2):
        story.commanded("pay", answer(2, 4, 200, detail(4, **ACCEPTED)), "tok_approve")
    assert story.found() == IMPOSSIBLE


def test_a_declined_card_may_be_followed_by_another_one() -> None:
    story = Story("")
    declined = {"order": detail(3, **PLACED | {"payment": "DECLINED"})}
    story.commanded("pay", answer(2, 3, 402, declined), "tok_decline")
    story.commanded("pay", answer(4, 5, 200, detail(6, **ACCEPTED)), "tok_approve")
    assert story.found() == []


@pytest.mark.parametrize(
    ("token", "payment"), [("tok_decline", "APPROVED"), ("tok_approve", "DECLINED")]
)
def test_a_card_is_charged_as_its_token_says(token: str, payment: str) -> None:
    story = Story("")
    shown = ACCEPTED if payment == "APPROVED" else PLACED | {"payment": payment}
    story.commanded("pay", answer(2, 3, 202, detail(2, **PENDING)), token)
    story.saw(4 if payment == "APPROVED" else 3, **shown)
    assert story.found() == IMPOSSIBLE


def test_a_refused_command_took_no_effect() -> None:
    story = Story()
    story.commanded("ready", refused(2, 3))
    story.saw(5, order="READY", payment="APPROVED", pickup="READY")
    assert story.found() == IMPOSSIBLE


def test_a_command_may_not_be_refused_where_it_was_due() -> None:
    story = Story()
    story.commanded("start", refused(2, 3))
    assert story.found() == IMPOSSIBLE


def test_what_was_refused_may_have_been_before_what_it_waited_for() -> None:
    story = Story()
    story.commanded("ready", refused(2, 5))
    story.did("start", 5, 2, 5, **PREPARING)
    assert story.found() == []


def test_a_try_that_got_no_answer_may_arrive_after_the_next_one_was_refused() -> None:
    story = Story()
    story.commanded("ready", refused(2, 3, tries=2))
    story.did("start", 5, 4, 5, **PREPARING)
    story.saw(6, order="READY", payment="APPROVED", pickup="READY")
    assert story.found() == []


@pytest.mark.parametrize("version", [4, 5])
def test_a_command_without_an_answer_was_carried_out_or_was_not(version: int) -> None:
    story = Story()
    story.unanswered("start", 2)
    story.saw(version, **(PREPARING if version == 5 else ACCEPTED))
    assert story.found() == []


def test_a_cancelled_order_is_undone_ticket_first() -> None:
    canceling: dict[str, Any] = {"order": "CANCELING", "payment": "APPROVED", "pickup": "CANCELED"}
    story = Story()
    story.commanded("cancel", answer(2, 3, 202, detail(6, **canceling)))
    story.saw(7, **CANCELED)
    assert story.found() == []


def test_a_refund_while_the_store_still_makes_the_order_cannot_be() -> None:
    refunded: dict[str, Any] = {"order": "CANCELING", "payment": "CANCELED", "pickup": "ACCEPTED"}
    story = Story()
    story.commanded("cancel", answer(2, 3, 202, detail(6, **refunded)))
    assert story.found() == IMPOSSIBLE


def test_what_the_barista_has_begun_cannot_be_cancelled() -> None:
    story = Story()
    story.did("start", 5, **PREPARING)
    story.commanded("cancel", answer(4, 5, 200, detail(8, **CANCELED)))
    assert story.found() == IMPOSSIBLE


def test_of_a_cancellation_and_a_start_at_once_one_is_refused() -> None:
    for start, cancel in ((True, False), (False, True)):
        story = Story()
        if start:
            story.did("start", 5, 2, 4, **PREPARING)
            story.commanded("cancel", refused(2, 4, "not_cancelable"))
        if cancel:
            story.commanded("start", refused(2, 4))
            story.did("cancel", 7, 2, 4, **CANCELED)
        assert story.found() == []


def test_a_cancellation_may_be_repeated() -> None:
    story = Story()
    for begin in (2, 4):
        story.did("cancel", 7, begin, begin + 1, **CANCELED)
    assert story.found() == []


def test_a_payment_that_was_undone_with_its_order_was_not_refused() -> None:
    undone: dict[str, Any] = {"order": "CANCELED", "payment": "CANCELED", "pickup": "NONE"}
    story = Story("")
    story.commanded("pay", refused(2, 4, "payment_canceled"), "tok_slow_300")
    story.did("cancel", 4, 2, 4, **undone)
    assert story.found() == []


def test_an_order_expires_only_once_there_was_time_to_pay() -> None:
    gone: dict[str, Any] = {"order": "CANCELED", "payment": "NONE", "pickup": "NONE"}
    story = Story("")
    story.saw(2, **gone)
    assert story.found() == IMPOSSIBLE
    assert check("o-1", story, may_expire=True)[1] == []


def test_a_barista_s_refusal_refunds_also_what_is_prepared() -> None:
    story = Story()
    story.did("start", 5, **PREPARING)
    rejected: dict[str, Any] = {"order": "CANCELED", "payment": "CANCELED", "pickup": "REJECTED"}
    story.did("reject", 8, 4, 5, **rejected)
    assert story.found() == []


def test_the_view_may_be_behind() -> None:
    story = Story()
    story.did("start", 5, **PREPARING)
    story.viewed(answer(4, 5, 200, detail(4, **ACCEPTED)))
    assert story.found() == []


def test_the_view_may_not_show_what_never_was() -> None:
    story = Story()
    story.viewed(answer(4, 5, 200, detail(4, **PREPARING)))
    assert story.found() == IMPOSSIBLE


def test_the_view_may_not_be_ahead_of_what_was_asked() -> None:
    story = Story()
    story.viewed(answer(2, 3, 200, detail(5, **PREPARING)))
    story.did("start", 5, 4, 5, **PREPARING)
    assert story.found() == IMPOSSIBLE


def test_the_view_never_goes_back() -> None:
    story = Story()
    story.did("start", 5, **PREPARING)
    story.viewed(answer(4, 5, 200, detail(5, **PREPARING)))
    story.viewed(answer(4.5, 6, 200, detail(4, **ACCEPTED)))
    assert story.found() == []  # it had begun before
    story.viewed(answer(6, 7, 200, detail(4, **ACCEPTED)))
    assert story.found() == ["view_went_back"]


def test_an_order_that_the_view_has_shown_is_not_gone_from_it() -> None:
    story = Story()
    story.viewed(answer(2, 3, 404))
    assert story.found() == []
    story.viewed(answer(4, 5, 200, detail(4, **ACCEPTED)))
    story.viewed(answer(6, 7, 404))
    assert story.found() == ["view_went_back"]


def test_an_answer_that_nobody_expects_is_a_violation() -> None:
    story = Story()
    story.commanded("start", answer(2, 3, 422, {"code": "invalid"}))
    assert story.found() == ["unexpected_answer"]


def test_what_cannot_be_explained_is_told_call_by_call() -> None:
    story = Story()
    story.did("start", 5, **PREPARING)
    story.saw(4, **ACCEPTED)
    verdict, (violation,) = check("o-1", story)
    assert verdict is Verdict.NOT_LINEARIZABLE
    assert violation.trace[-1] == (
        "then? 8.000 to 9.000: read: version 4, ACCEPTED, payment APPROVED, pickup ACCEPTED"
    )
    assert all(line.startswith("fits") for line in violation.trace[:-1])


def test_a_call_without_an_answer_has_no_end() -> None:
    story = Story()
    story.unanswered("start", 2)
    assert story.calls[-1].end == math.inf
