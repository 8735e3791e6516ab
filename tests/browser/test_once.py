"""Double taps, reloads, lost answers and lost connections: never a second order, never none."""

import pytest
from playwright.sync_api import Route, expect

from tests.browser.people import Barista, Customer
from tests.browser.visitor import Visitor
from tests.support.outside import accepted, assert_agreed, orders_of, post, reaches
from tests.support.system import ORDER_ACTOR, System


@pytest.fixture
def customer(phone: Visitor) -> Customer:
    return Customer(phone)


def test_a_double_tap_makes_one_order(customer: Customer, system: System) -> None:
    customer.choose()
    customer.introduce()
    customer.page.locator("#place").dblclick(delay=1)
    made_once(customer, system)


def test_a_reload_before_the_answer_goes_on_with_the_same_order(
    customer: Customer, system: System
) -> None:
    customer.choose()
    customer.introduce()
    with system.held_frozen(ORDER_ACTOR):
        with customer.page.expect_request("**/orders"):
            customer.page.locator("#place").click()
        customer.page.reload()
        expect(customer.page.locator("#unanswered")).to_be_visible()
        expect(customer.page.locator("#place")).to_be_disabled()
    made_once(customer, system)


def test_an_answer_that_got_lost_is_asked_for_again(customer: Customer, system: System) -> None:
    def lose_the_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    customer.choose()
    customer.introduce()
    customer.page.route("**/orders", lose_the_answer, times=1)
    customer.page.locator("#place").click()
    made_once(customer, system)


def test_an_answer_of_whatever_stands_before_the_gateway_is_none(
    customer: Customer, system: System
) -> None:
    """While the system starts, HAProxy has a 404 of its own."""

    def stands_before(route: Route) -> None:
        route.fulfill(status=404, content_type="text/plain", body="Path not found")

    customer.choose()
    customer.introduce()
    for path in ("**/orders", "**/stream", "**/events"):
        customer.page.route(path, stands_before, times=1)
    customer.page.locator("#place").click()
    made_once(customer, system)


def test_an_order_of_another_tab_that_waits_for_its_answer_is_asked_about_first(
    customer: Customer, system: System
) -> None:
    context = customer.page.context
    other = Customer(Visitor(context.new_page(), customer.visitor.url))
    customer.choose({"americano": 1})
    customer.introduce()
    other.choose({"latte": 3})
    other.introduce()
    context.set_offline(True)
    customer.page.locator("#place").click()
    expect(customer.page.locator("#unanswered")).to_be_visible()
    other.page.locator("#place").click()
    expect(other.page.locator("#unanswered-text")).to_contain_text("1 × Americano")
    expect(other.page.locator("#send")).to_be_visible()
    context.set_offline(False)
    made_once(customer, system)
    expect(other.page.locator("#unanswered")).to_be_hidden()
    expect(other.page.locator("#cart li")).to_have_count(0)  # both show one cart


def test_an_order_placed_offline_says_so_and_is_sent_once_when_back(
    customer: Customer, system: System
) -> None:
    customer.choose()
    customer.introduce()
    customer.page.context.set_offline(True)
    customer.page.locator("#place").click()
    expect(customer.page.locator("#unanswered-text")).to_contain_text("offline")
    customer.page.context.set_offline(False)
    made_once(customer, system)


def test_what_happened_while_the_phone_was_offline_is_seen_when_it_is_back(
    customer: Customer, system: System
) -> None:
    order_id = customer.order()
    customer.sees("ACCEPTED")
    customer.page.context.set_offline(True)
    # The browser leaves a stream open that it has: the page itself lets go of it.
    expect(customer.page.locator("#live")).to_have_attribute("data-state", "reconnecting")
    expect(customer.page.locator("#connection")).not_to_be_empty()
    post(system, f"/pickups/{order_id}/start")
    post(system, f"/pickups/{order_id}/ready")
    customer.sees("ACCEPTED")
    customer.page.context.set_offline(False)
    customer.sees("READY")
    expect(customer.page.locator("#connection")).to_be_empty()


def test_a_board_that_was_offline_or_reloaded_misses_no_ticket(
    tablet: Visitor, system: System
) -> None:
    barista = Barista(tablet)
    barista.watch()
    gone = accepted(system)
    expect(barista.ticket(gone, "new")).to_be_visible()
    tablet.page.context.set_offline(True)
    expect(tablet.page.locator("#connection")).not_to_be_empty()
    missed = accepted(system)
    post(system, f"/orders/{gone}/cancel")
    tablet.page.context.set_offline(False)
    expect(barista.ticket(missed, "new")).to_be_visible()
    expect(barista.ticket(gone).get_by_role("deletion")).to_be_visible()
    expect(tablet.page.locator("#connection")).to_be_empty()
    tablet.page.reload()
    expect(barista.ticket(missed, "new")).to_be_visible()
    expect(barista.ticket(gone).get_by_role("deletion")).to_be_visible()


def made_once(customer: Customer, system: System) -> None:
    """Check that the page follows the guest's only order, and that it was charged once."""
    order_id = customer.follows()
    customer.sees("ACCEPTED")
    assert orders_of(system, customer.visitor.guest()) == [order_id]
    reaches(system, order_id, "ACCEPTED")
    assert len(assert_agreed(system, order_id).money_moved) == 1
