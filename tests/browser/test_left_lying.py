"""What was tapped and not answered: only its customer's yes sends it later, and no yes is lost."""

import re
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Error, Request, Route, expect

from tests.browser.people import Customer
from tests.browser.visitor import Visitor, hears
from tests.support.outside import assert_agreed, new_order, orders_of, place, reaches
from tests.support.system import System

THREE_MINUTES = 180_000
COMMANDS = re.compile(r"/orders(/.*)?$")


@pytest.fixture
def customer(phone: Visitor) -> Customer:
    return Customer(phone)


def tap_offline(customer: Customer) -> None:
    """Order an Americano where there is no connection, and see that the page tries."""
    customer.choose()
    customer.introduce()
    customer.page.context.set_offline(True)
    customer.page.locator("#place").click()
    expect(customer.page.locator("#unanswered")).to_be_visible()


def comes_back(customer: Customer, path: str = "/") -> list[Request]:
    """Close the page, and open another one when the connection is back; return its commands."""
    context = customer.page.context
    # A page that is left is online for a moment, and sends what waits: it ends while it is offline.
    with suppress(Error):
        customer.page.goto("chrome://crash")
    customer.page.close()
    sent = commands_of(context)
    context.set_offline(False)
    customer.visitor.page = context.new_page()
    customer.visitor.page.goto(path)
    return sent


def commands_of(context: BrowserContext) -> list[Request]:
    """Return the list to which whatever a page orders, pays or cancels is added from now on.

    To look whether an order had arrived, it asks with a total that none has, and without a card.
    """
    sent: list[Request] = []

    def note(request: Request) -> None:
        if request.method == "POST" and COMMANDS.search(request.url):
            looks = request.url.endswith("/orders") and '"payment"' not in (request.post_data or "")
            sent.extend([] if looks else [request])

    context.on("request", note)
    return sent


def is_asked(customer: Customer, *texts: str) -> None:
    """See the question whether what was left lying shall be sent, with what it is about."""
    expect(customer.page.locator("#send")).to_be_visible()
    for text in texts:
        expect(customer.page.locator("#unanswered-text")).to_contain_text(text)


def test_an_order_left_lying_offline_is_sent_after_a_yes_only(
    customer: Customer, system: System
) -> None:
    tap_offline(customer)
    sent = comes_back(customer)
    is_asked(customer, "1 × Americano", "₩4,500")
    expect(customer.page.locator("[data-menu=latte]")).to_be_visible()
    customer.page.reload()
    is_asked(customer, "1 × Americano")
    assert sent == []
    assert orders_of(system, customer.visitor.guest()) == []

    customer.page.locator("#send").click()

    order_id = customer.follows()
    customer.sees("ACCEPTED")
    assert orders_of(system, customer.visitor.guest()) == [order_id]
    assert len(assert_agreed(system, order_id).money_moved) == 1


def test_an_order_left_lying_can_be_dropped_and_is_asked_about_no_more(
    customer: Customer, system: System
) -> None:
    tap_offline(customer)
    sent = comes_back(customer)
    is_asked(customer)
    customer.page.locator("#drop").click()
    expect(customer.page.locator("#toasts")).to_contain_text("Nothing was ordered")
    expect(customer.page.locator("#unanswered")).to_be_hidden()
    comes_back(customer)
    expect(customer.page.locator("[data-menu=latte]")).to_be_visible()
    expect(customer.page.locator("#unanswered")).to_be_hidden()
    assert sent == []

    order_id = customer.place()  # the cart is as it was
    assert orders_of(system, customer.visitor.guest()) == [order_id]


def test_a_new_cart_does_not_send_the_order_of_before(customer: Customer, system: System) -> None:
    tap_offline(customer)
    sent = comes_back(customer)
    is_asked(customer)
    customer.more("latte").click()
    customer.page.locator("#place").click()
    expect(customer.page.locator("#unanswered")).to_be_focused()
    assert sent == []
    customer.page.locator("#drop").click()
    order_id = customer.place()
    assert orders_of(system, customer.visitor.guest()) == [order_id]
    expect(customer.page.locator("#total")).to_have_text("₩9,500")


def test_after_two_minutes_the_page_itself_stops_and_asks(
    customer: Customer, system: System
) -> None:
    customer.page.clock.install()
    tap_offline(customer)
    sent = commands_of(customer.page.context)
    customer.page.clock.fast_forward(THREE_MINUTES)
    is_asked(customer, "₩4,500")
    asked = len(sent)
    customer.page.context.set_offline(False)
    customer.page.clock.run_for(THREE_MINUTES)
    expect(customer.page.locator("#connection")).to_be_empty()
    assert len(sent) == asked
    assert orders_of(system, customer.visitor.guest()) == []


def test_it_can_be_stopped_while_the_page_still_tries(customer: Customer, system: System) -> None:
    tap_offline(customer)
    customer.page.locator("#drop", has_text="Don’t send").click()
    expect(customer.page.locator("#unanswered")).to_be_hidden()
    expect(customer.page.locator("#place")).to_be_focused()
    sent = commands_of(customer.page.context)
    customer.page.context.set_offline(False)
    expect(customer.page.locator("#toasts")).to_contain_text("Nothing was ordered")
    with customer.page.expect_response("**/stores"):
        pass
    with customer.page.expect_response("**/stores"):
        pass
    assert sent == []
    assert orders_of(system, customer.visitor.guest()) == []


@pytest.mark.parametrize(
    "change",
    [
        "const { at, sent, load, since, ...older } = attempt; return older;",
        "return { ...attempt, at: attempt.at - 7_200_000 };",
        "return { ...attempt, at: attempt.at + 7_200_000 };",  # the clock was set back since
    ],
)
def test_an_attempt_without_a_time_or_of_another_time_is_asked_about(
    customer: Customer, system: System, change: str
) -> None:
    """A reload alone would go on with it."""
    customer.choose()
    customer.introduce()
    customer.page.route(COMMANDS, lambda route: route.abort())
    customer.page.locator("#place").click()
    expect(customer.page.locator("#unanswered")).to_be_visible()
    # By the next page, before its own scripts: this one would keep what it knows once more.
    customer.page.add_init_script(
        f"""
        const kept = localStorage["siren.attempt.order"];
        const changed = (attempt) => {{ {change} }};
        if (kept && kept !== "null") {{
            localStorage["siren.attempt.order"] = JSON.stringify(changed(JSON.parse(kept)));
        }}
        """
    )
    customer.page.reload(wait_until="commit")
    sent = commands_of(customer.page.context)
    is_asked(customer, "1 × Americano", "₩4,500")
    assert sent == []
    customer.page.unroute(COMMANDS)
    customer.page.locator("#send").click()
    order_id = customer.follows()
    assert orders_of(system, customer.visitor.guest()) == [order_id]


def test_a_dropped_order_that_had_arrived_is_told_and_led_to(
    customer: Customer, system: System
) -> None:
    answers = []

    def lose_the_answer(route: Route) -> None:
        answers.append(route.fetch())
        route.abort()

    def never_again(route: Route) -> None:
        route.abort()

    customer.choose()
    customer.introduce()
    customer.page.route(COMMANDS, never_again)
    customer.page.route(COMMANDS, lose_the_answer, times=1)
    customer.page.locator("#place").click()
    expect(customer.page.locator("#unanswered")).to_be_visible()
    comes_back(customer)
    is_asked(customer, "may have arrived")
    customer.page.locator("#drop").click()
    told = customer.page.locator(".toast", has_text="already been placed")
    told.get_by_role("link").click()
    order_id = customer.follows()
    assert order_id == answers[0].json()["order_id"]
    assert orders_of(system, customer.visitor.guest()) == [order_id]
    reaches(system, order_id, "ACCEPTED")
    assert len(assert_agreed(system, order_id).money_moved) == 1
    expect(customer.page.locator("#cancel")).to_be_visible()


def test_an_order_that_left_although_the_browser_said_offline_is_told_when_it_is_dropped(
    customer: Customer, system: System
) -> None:
    """The browser may hear later than its requests that the network is back."""
    answers = []
    online = "Object.defineProperty(navigator, 'onLine', { get: () => !window.saysOffline })"
    customer.page.add_init_script(online)
    customer.choose()
    customer.introduce()
    customer.page.evaluate("window.saysOffline = true")
    customer.page.route(COMMANDS, lambda route: answers.append(route.fetch()))  # and says nothing
    customer.page.locator("#place").click()
    hears(customer.page, lambda: answers, "the order was answered")
    comes_back(customer)
    is_asked(customer, "may have arrived")
    customer.page.locator("#drop").click()
    expect(customer.page.locator(".toast", has_text="already been placed")).to_be_visible()
    assert orders_of(system, customer.visitor.guest()) == [answers[0].json()["order_id"]]


def test_a_dropped_order_that_had_not_arrived_is_found_to_be_none(
    customer: Customer, system: System
) -> None:
    """Online, nobody knows where it got lost: the page looks, without placing anything."""
    customer.choose()
    customer.introduce()
    customer.page.route(COMMANDS, lambda route: route.abort())
    customer.page.locator("#place").click()
    expect(customer.page.locator("#unanswered")).to_be_visible()
    customer.page.unroute(COMMANDS)
    comes_back(customer)
    is_asked(customer)
    customer.page.locator("#drop").click()
    expect(customer.page.locator("#toasts")).to_contain_text("Nothing was ordered")
    assert orders_of(system, customer.visitor.guest()) == []


@pytest.mark.parametrize("answer", ["send", "drop"])
def test_a_payment_left_lying_is_made_after_a_yes_only(
    customer: Customer, system: System, answer: str
) -> None:
    order_id = customer.has_ordered(system, None)
    customer.page.goto(f"/my/{order_id}")
    customer.sees("PLACED")
    customer.page.context.set_offline(True)
    customer.page.locator("#pay-button").click()
    sent = comes_back(customer, f"/my/{order_id}")
    is_asked(customer, "₩12,500")
    customer.sees("PLACED")
    assert sent == []

    customer.page.locator(f"#{answer}").click()

    if answer == "send":
        customer.sees("ACCEPTED")
        reaches(system, order_id, "ACCEPTED")
        assert len(assert_agreed(system, order_id).money_moved) == 1
    else:
        expect(customer.page.locator("#pay-button")).to_be_enabled()
        assert sent == []
        assert system.http.get(f"/orders/{order_id}").json()["payment_status"] == "NONE"


@pytest.mark.parametrize("answer", ["send", "drop"])
def test_a_cancellation_left_lying_is_made_after_a_yes_only(
    customer: Customer, system: System, answer: str
) -> None:
    order_id = customer.has_ordered(system)
    customer.page.goto(f"/my/{order_id}")
    customer.sees("ACCEPTED")
    customer.page.context.set_offline(True)
    customer.cancels()
    expect(customer.page.locator("#unanswered")).to_be_visible()
    sent = comes_back(customer, f"/my/{order_id}")
    is_asked(customer, "cancel")
    customer.sees("ACCEPTED")
    assert sent == []

    customer.page.locator(f"#{answer}").click()

    if answer == "send":
        customer.sees("CANCELED")
    else:
        expect(customer.page.locator("#cancel")).to_be_enabled()
        assert sent == []
        assert system.http.get(f"/orders/{order_id}").json()["order_status"] == "ACCEPTED"


def test_what_the_order_has_overtaken_is_not_asked_about(
    customer: Customer, system: System
) -> None:
    order_id = customer.has_ordered(system, None)
    customer.page.goto(f"/my/{order_id}")
    customer.page.context.set_offline(True)
    customer.page.locator("#pay-button").click()
    pay: dict[str, Any] = {"method": "card", "token": "tok_approve"}
    system.http.post(f"/orders/{order_id}/payment", json=pay).raise_for_status()
    comes_back(customer, f"/my/{order_id}")
    customer.sees("ACCEPTED")
    expect(customer.page.locator("#unanswered")).to_be_hidden()
    assert place(system, new_order())["order_id"] != order_id
