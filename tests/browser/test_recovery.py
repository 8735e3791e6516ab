"""kill -9 of what the pages talk to, in the middle of an order: they recover by themselves."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Enter
from tests.browser.people import Barista, Customer
from tests.browser.visitor import PHONE, Visitor
from tests.support.outside import assert_agreed, orders_of, reaches
from tests.support.system import GATEWAY, ORDER_ACTOR, System

pytestmark = pytest.mark.timeout(240)
RECOVERED_MS = 90_000
"""Longer than Serve takes to start another replica on a busy machine."""


def test_both_pages_survive_kill_9_and_what_was_pressed_meanwhile_is_done_once(
    phone: Visitor, tablet: Visitor, enter: Enter, system: System
) -> None:
    waiting, barista = Customer(phone), Barista(tablet)
    newcomer = Customer(enter(PHONE))
    barista.watch()
    order_id = waiting.order()
    waiting.sees("ACCEPTED")
    newcomer.choose()
    newcomer.introduce()
    expect(barista.ticket(order_id, "new")).to_be_visible()
    for visitor in (phone, tablet):
        visitor.page.evaluate("window.isStillThisPage = true")

    assert system.kill(GATEWAY)
    assert system.kill(ORDER_ACTOR)
    barista.moves(order_id, "new")
    newcomer.page.locator("#place").click()

    waiting.sees("PREPARING", within_ms=RECOVERED_MS)
    placed = newcomer.follows(within_ms=RECOVERED_MS)
    newcomer.sees("ACCEPTED")
    expect(barista.ticket(order_id, "preparing")).to_be_visible()
    expect(barista.ticket(placed, "new")).to_be_visible()
    for visitor in (phone, tablet):
        expect(visitor.page.locator("#connection")).to_be_empty()
        assert visitor.page.evaluate("window.isStillThisPage")
    assert orders_of(system, newcomer.visitor.guest()) == [placed]
    assert_agreed(system, order_id)
    reaches(system, placed, "ACCEPTED")
    assert len(assert_agreed(system, placed).money_moved) == 1
