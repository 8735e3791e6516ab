"""kill -9 of every process, Ray's own included, under load; then a start on the same folder."""

import pytest

from tests.chaos.conftest import DEADLINE_S, Catastrophe
from tests.support.outside import assert_agreed, orders_of, place, reaches

pytestmark = pytest.mark.timeout(400)


def test_every_acknowledged_order_is_there_and_settles(catastrophe: Catastrophe) -> None:
    assert catastrophe.acknowledged
    for order in catastrophe.acknowledged:
        reaches(catastrophe.system, order["order_id"], "ACCEPTED")
        books = assert_agreed(catastrophe.system, order["order_id"])
        assert (len(books.charges), len(books.tickets)) == (1, 1)


def test_what_was_accepted_before_is_as_it_was(catastrophe: Catastrophe) -> None:
    reaches(catastrophe.system, catastrophe.accepted, "ACCEPTED")
    assert_agreed(catastrophe.system, catastrophe.accepted)


def test_a_payment_that_was_under_way_is_finished(catastrophe: Catastrophe) -> None:
    reaches(catastrophe.system, catastrophe.slow, "ACCEPTED")
    assert_agreed(catastrophe.system, catastrophe.slow)


def test_a_payment_deadline_survives_the_restart(catastrophe: Catastrophe) -> None:
    detail = reaches(catastrophe.system, catastrophe.unpaid, "CANCELED", DEADLINE_S + 60)
    assert (detail["cancel_reason"], detail["payment_status"]) == ("payment_timeout", "NONE")
    assert assert_agreed(catastrophe.system, catastrophe.unpaid).charges == []


def test_a_request_without_an_answer_makes_one_order_when_repeated(
    catastrophe: Catastrophe,
) -> None:
    system = catastrophe.system
    assert catastrophe.unanswered
    for order, key in catastrophe.unanswered:
        order_id = place(system, order, key=key)["order_id"]
        reaches(system, order_id, "ACCEPTED")
        books = assert_agreed(system, order_id)
        assert (len(books.charges), len(books.tickets)) == (1, 1)
        assert orders_of(system, order["customer"]["id"]) == [order_id]


def test_no_two_tickets_of_a_store_and_day_have_one_number(catastrophe: Catastrophe) -> None:
    query = "SELECT number FROM tickets WHERE number IS NOT NULL GROUP BY store_id, day, number"
    assert catastrophe.system.sql("stores", f"{query} HAVING count(*) > 1") == []


def test_the_audit_finds_nothing(catastrophe: Catastrophe) -> None:
    audit = catastrophe.system.siren("verify")
    assert audit.returncode == 0, audit.stdout
    assert "no violation" in audit.stdout
