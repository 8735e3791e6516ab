"""What the button says is what is charged: another price is shown, and asked about."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.people import Customer
from tests.browser.visitor import Visitor
from tests.support.outside import assert_agreed, new_order, orders_of, place
from tests.support.system import System

PRICES = {"mocha": 5500, "bagel": 3500}
MENU = "**/stores/jeju/menu"


@pytest.fixture
def customer(phone: Visitor, system: System) -> Iterator[Customer]:
    phone.page.clock.install()  # the page asks for news when a test lets the time pass
    PRICES["mocha"] = price_of(system, "mocha")
    yield Customer(phone)
    set_price(system, PRICES["mocha"])
    change(system, "bagel", sold_out=False)


def change(system: System, menu_id: str, **changes: Any) -> None:
    system.http.patch(f"/stores/jeju/menu/{menu_id}", json=changes).raise_for_status()


def set_price(system: System, price: int) -> None:
    change(system, "mocha", price=price)


def price_of(system: System, menu_id: str) -> int:
    menu = system.http.get("/stores/jeju/menu").json()["items"]
    return int(next(item["price"] for item in menu if item["menu_id"] == menu_id))


def won(amount: int) -> str:
    return f"₩{amount:,}"


def refused_then_placed(customer: Customer, system: System, button: str, was: int, now: int) -> str:
    """See old and new total and no order; then order at the price that the button has now."""
    page = customer.page
    page.locator(button).click()
    refusal = page.locator("#refusal")
    for text in (won(was), won(now), "Nothing was ordered"):
        expect(refusal).to_contain_text(text)
    expect(page.locator(button)).to_contain_text(won(now))
    page.locator(button).click()
    order_id = customer.follows()
    customer.sees("ACCEPTED")
    books = assert_agreed(system, order_id)
    assert [charge["amount"] for charge in books.money_moved] == [now]
    return order_id


def test_a_cart_whose_price_has_changed_is_asked_about_again(
    customer: Customer, system: System
) -> None:
    was = 2 * PRICES["mocha"]
    customer.visitor.sees_no_change(MENU, until="/orders")
    customer.choose({"mocha": 2}, "jeju")
    customer.introduce()
    expect(customer.page.locator("#place")).to_contain_text(won(was))
    set_price(system, 7000)
    order_id = refused_then_placed(customer, system, "#place", was, 14_000)
    assert orders_of(system, customer.visitor.guest()) == [order_id]


def test_the_last_order_at_another_price_is_asked_about_again(
    customer: Customer, system: System
) -> None:
    lines = [{"menu_id": "mocha", "quantity": 1}]
    customer.has_ordered(system, items=lines, store_id="jeju")
    customer.visitor.sees_no_change(MENU, until="/orders")
    customer.page.goto("/")
    expect(customer.page.locator("#again-place")).to_contain_text(won(PRICES["mocha"]))
    set_price(system, 7000)
    refused_then_placed(customer, system, "#again-place", PRICES["mocha"], 7000)


def test_an_order_left_lying_keeps_the_price_that_it_was_meant_at(
    customer: Customer, system: System
) -> None:
    page = customer.page
    customer.choose({"mocha": 1}, "jeju")
    customer.introduce()
    page.context.set_offline(True)
    page.locator("#place").click()
    expect(page.locator("#unanswered")).to_be_visible()
    page.clock.fast_forward(180_000)
    set_price(system, 7000)
    expect(page.locator("#send")).to_be_visible()
    page.context.set_offline(False)
    customer.waits_for_news()
    expect(page.locator("#unanswered-text")).to_contain_text(won(PRICES["mocha"]))
    page.locator("#send").click()
    expect(page.locator("#refusal")).to_contain_text(won(7000))
    expect(page.locator("#refusal")).to_contain_text(won(PRICES["mocha"]))
    assert orders_of(system, customer.visitor.guest()) == []
    expect(page.locator("#unanswered")).to_be_hidden()


def test_what_sold_out_a_moment_ago_is_named(customer: Customer, system: System) -> None:
    customer.visitor.sees_no_change(MENU)
    customer.choose({"bagel": 1, "mocha": 1}, "jeju")
    customer.introduce()
    change(system, "bagel", sold_out=True)
    customer.page.locator("#place").click()
    expect(customer.page.locator("#refusal")).to_contain_text("Just sold out: \u2068Bagel\u2069.")


def test_the_same_again_is_exactly_the_last_order(customer: Customer, system: System) -> None:
    """Two lines of one item stay two; to change it first, the cart has all of them."""
    lines = [{"menu_id": "mocha", "quantity": n} for n in (1, 2)]
    first = customer.has_ordered(system, items=lines, store_id="jeju")
    customer.page.goto("/")
    customer.page.locator("#again-edit").click()
    expect(customer.page.locator("[data-menu=mocha] output")).to_have_text("3")
    customer.page.locator("#again-place").click()
    second = customer.follows()
    assert second != first
    placed = [system.http.get(f"/orders/{order}").json()["items"] for order in (first, second)]
    assert placed[0] == placed[1]
    assert [line["quantity"] for line in placed[1]] == [1, 2]


def test_the_last_order_that_was_not_cancelled_is_offered_again(
    customer: Customer, system: System
) -> None:
    lines = [{"menu_id": "bagel", "quantity": 2}]
    customer.has_ordered(system, items=lines, store_id="jeju")
    guest = customer.visitor.guest()
    for _ in range(21):  # more than a page of the list
        order = new_order(store_id="jeju")
        order["customer"]["id"] = guest
        order_id = place(system, order)["order_id"]
        system.http.post(f"/orders/{order_id}/cancel").raise_for_status()
    customer.page.goto("/")
    expect(customer.page.locator("#again")).to_contain_text("Bagel × 2")


def test_what_is_missing_of_the_last_order_is_named(customer: Customer, system: System) -> None:
    customer.has_ordered(
        system,
        items=[{"menu_id": "mocha", "quantity": 1}, {"menu_id": "bagel", "quantity": 1}],
        store_id="jeju",
    )
    change(system, "bagel", sold_out=True)
    customer.page.goto("/")
    again = customer.page.locator("#again")
    expect(again).to_contain_text("Not to be had at the moment: \u2068Bagel\u2069")
    expect(again.locator("#again-place")).to_be_disabled()
    again.locator("#again-edit").click()
    expect(customer.page.locator("#total")).to_have_text(won(PRICES["mocha"]))
