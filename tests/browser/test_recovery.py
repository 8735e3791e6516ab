"""kill -9 of what the pages talk to, in the middle of an order: they recover by themselves."""

import pytest
from playwright.sync_api import expect

from tests.browser.people import Barista, Customer
from tests.browser.visitor import Visitor
from tests.outside import assert_agreed, orders_of, reaches
from tests.system import GATEWAY, ORDER_ACTOR, System

pytestmark = pytest.mark.timeout(240)
RECOVERED_MS = 90_000
"""Longer than Serve takes to start another replica on a busy machine."""


def test_both_pages_survive_the_gateway_and_the_order_actor(
    phone: Visitor, tablet: Visitor, system: System
) -> None:
    customer, barista = Customer(phone), Barista(tablet)
    barista.watch()
    order_id = customer.order()
    customer.sees("ACCEPTED")
    for visitor in (phone, tablet):
        visitor.page.evaluate("window.isStillThisPage = true")
    expect(barista.ticket(order_id, "new")).to_be_visible()

    assert system.kill(GATEWAY)
    assert system.kill(ORDER_ACTOR)
    barista.moves(order_id, "new")

    customer.sees("PREPARING", within_ms=RECOVERED_MS)
    expect(barista.ticket(order_id, "preparing")).to_be_visible()
    for visitor in (phone, tablet):
        expect(visitor.page.locator("#connection")).to_be_empty()
        assert visitor.page.evaluate("window.isStillThisPage")
    assert_agreed(system, order_id)


def test_an_order_placed_into_a_crash_is_made_once(phone: Visitor, system: System) -> None:
    customer = Customer(phone)
    customer.choose()
    customer.introduce()
    assert system.kill(ORDER_ACTOR)
    assert system.kill(GATEWAY)
    phone.page.locator("#place").click()
    order_id = customer.follows(within_ms=RECOVERED_MS)
    customer.sees("ACCEPTED", within_ms=RECOVERED_MS)
    assert orders_of(system, phone.guest()) == [order_id]
    reaches(system, order_id, "ACCEPTED")
    assert len(assert_agreed(system, order_id).money_moved) == 1
