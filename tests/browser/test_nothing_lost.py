"""What a customer typed, chose, paid or had the focus on is not lost, nor paid for unmeant."""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Enter
from tests.browser.people import Customer
from tests.browser.visitor import PHONE, Visitor, hears
from tests.support.outside import orders_of, post
from tests.support.system import System

NOTHING_FOR_ALL_TABS = """
    Object.defineProperty(window, "localStorage", {
        get() { throw new DOMException("denied", "SecurityError"); },
    });
"""
FULL = """
    Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
"""
HOURS_OFF = """
    const Right = Date;
    globalThis.Date = class extends Right {
        constructor(...given) { given.length ? super(...given) : super(Date.now()); }
        static now() { return Right.now() + 3 * 3_600_000; }
    };
"""


@pytest.fixture
def customer(phone: Visitor) -> Customer:
    return Customer(phone)


def focused(page: Page) -> str:
    """Return what has the focus: its id, or else its label or text."""
    what = "e => e.id || e.ariaLabel || e.textContent"
    return str(page.evaluate(f"({what})(document.activeElement)"))


def held_back(page: Page, glob: str) -> list[Route]:
    """Leave what is asked from these addresses without an answer; return it."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(glob, hold)
    return held


def let_go(page: Page, held: list[Route]) -> None:
    """Answer what was held back, as soon as it was asked."""
    hears(page, lambda: held, "it is asked")
    held.pop().continue_()


def test_an_order_is_followed_where_the_browser_keeps_things_for_one_tab_only(
    customer: Customer,
) -> None:
    customer.page.add_init_script(NOTHING_FOR_ALL_TABS)
    customer.order()
    customer.sees("ACCEPTED")
    assert "-" in customer.number
    customer.page.reload()
    customer.sees("ACCEPTED")


def test_nobody_pays_for_an_order_that_they_could_not_see(customer: Customer) -> None:
    """Where nothing is kept at all, the next page would not know whose order it is."""
    customer.page.add_init_script(NOTHING_FOR_ALL_TABS + FULL)
    sent: list[str] = []
    customer.page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    customer.choose()
    customer.introduce()
    customer.page.locator("#place").click()
    expect(customer.page.locator("#refusal")).to_contain_text("Nothing was ordered or charged")
    assert not [one for one in sent if one.startswith("POST") and one.endswith("/orders")]


def test_two_tabs_have_one_cart_which_is_ordered_once(customer: Customer, system: System) -> None:
    other = Customer(Visitor(customer.page.context.new_page(), customer.visitor.url))
    customer.choose({"latte": 1})
    other.choose({"bagel": 1})
    customer.introduce()
    expect(customer.page.locator("#total")).to_have_text("₩8,500")
    order_id = customer.place()
    expect(other.page.locator("#cart li")).to_have_count(0)
    expect(other.page.locator("#place")).to_be_disabled()
    other.page.locator("#place").click(force=True)
    assert orders_of(system, customer.visitor.guest()) == [order_id]


def test_only_the_button_orders_and_the_focus_stays_in_the_cart(
    customer: Customer, system: System
) -> None:
    page = customer.page
    customer.choose({"latte": 1, "bagel": 1})
    customer.introduce()
    for field in ("input[value=gangnam]", "#tel"):
        page.locator(field).press("Enter")
    page.locator("[data-menu=latte] button").first.press("Enter")
    assert focused(page) == "Add \u2068Latte\u2069"
    page.keyboard.press("Enter")
    page.locator("#cart button").first.press("Enter")
    assert focused(page) == "Remove \u2068Bagel\u2069"
    page.keyboard.press("Enter")
    assert focused(page) == "checkout"
    assert orders_of(system, customer.visitor.guest()) == []


def test_a_refused_field_is_named_marked_and_gone_to(customer: Customer) -> None:
    page = customer.page
    customer.choose()
    customer.introduce(tel="abc")
    page.locator("#place").click()
    expect(page.locator("#refusal")).to_contain_text("Please check: Phone number")
    expect(page.locator("#tel")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#tel")).to_be_focused()
    page.keyboard.type("1")
    expect(page.locator("#tel-error")).to_be_empty()
    expect(page.locator("#refusal")).to_be_empty()


def test_a_refusal_moves_no_button_and_goes_once_it_is_no_longer_so(
    customer: Customer, system: System
) -> None:
    page = customer.page
    page.clock.install()
    customer.visitor.sees_no_change("**/stores/jeju/menu", until="/orders")
    customer.choose({"bagel": 1, "latte": 1}, "jeju")
    customer.introduce()
    page.locator("#place").scroll_into_view_if_needed()
    before = page.locator("#place").evaluate("e => e.getBoundingClientRect().top + scrollY")
    system.http.patch("/stores/jeju/menu/bagel", json={"sold_out": True}).raise_for_status()
    try:
        page.locator("#place").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#refusal")).to_contain_text("Just sold out")
        expect(page.locator("#place")).to_be_focused()
        expect(page.locator("#cart")).to_contain_text("Sold out")
        after = page.locator("#place").evaluate("e => e.getBoundingClientRect().top + scrollY")
        assert after == before
    finally:
        system.http.patch("/stores/jeju/menu/bagel", json={"sold_out": False}).raise_for_status()
    customer.waits_for_news()
    expect(page.locator("#refusal")).to_be_empty()


def test_what_is_sold_out_by_the_time_it_is_paid_is_named(
    customer: Customer, system: System
) -> None:
    lines = [{"menu_id": "mocha", "quantity": 1}]
    order_id = customer.has_ordered(system, None, items=lines, store_id="jeju")
    customer.page.goto(f"/my/{order_id}")
    customer.sees("PLACED")
    system.http.patch("/stores/jeju/menu/mocha", json={"sold_out": True}).raise_for_status()
    try:
        customer.page.locator("#pay-button").press("Enter")
        expect(customer.page.locator("#pay-refusal")).to_contain_text("\u2068Mocha\u2069")
        expect(customer.page.locator("#pay-button")).to_be_focused()
    finally:
        system.http.patch("/stores/jeju/menu/mocha", json={"sold_out": False}).raise_for_status()


def test_what_comes_late_moves_nothing_that_is_in_use(customer: Customer, system: System) -> None:
    """An order that waits for its payment says so when it is offered again."""
    order_id = customer.has_ordered(system, None)
    page = customer.page
    held = held_back(page, "**/order-details?*")
    page.goto("/")
    expect(customer.more("latte")).to_be_visible()
    before = customer.more("latte").bounding_box()
    let_go(page, held)
    page.unroute("**/order-details?*")
    expect(page.locator("#again-title")).to_contain_text("waits for your payment")
    assert customer.more("latte").bounding_box() == before
    expect(page.locator("#again-open")).to_have_attribute("href", f"/my/{order_id}")


def test_the_last_order_comes_beside_what_is_in_the_cart(
    customer: Customer, system: System
) -> None:
    lines = [{"menu_id": "latte", "quantity": n} for n in (99, 60)]
    customer.has_ordered(system, items=lines)
    customer.choose({"bagel": 1})
    customer.page.locator("#again-edit").click()
    expect(customer.page.locator("#cart")).to_contain_text("Bagel")
    count = customer.page.locator("[data-menu=latte] output")
    expect(count).to_have_text("159")
    expect(customer.more("latte")).to_be_disabled()
    expect(customer.page.locator("[data-menu=latte]")).to_contain_text("99 at most")
    customer.page.locator("[data-menu=latte] button").first.click()
    expect(count).to_have_text("158")


def test_what_another_store_has_stays_in_the_cart(customer: Customer) -> None:
    customer.choose({"sweet-potato-latte": 1}, "pangyo")
    customer.choose({"americano": 1}, "jeju")
    customer.introduce()
    customer.place()
    customer.choose({}, "pangyo")
    expect(customer.page.locator("#cart")).to_contain_text("Sweet Potato Latte")
    expect(customer.page.locator("#cart")).not_to_contain_text("Americano")


def test_a_reload_goes_on_with_an_order_although_the_clock_is_hours_off(
    customer: Customer, system: System
) -> None:
    customer.page.add_init_script(HOURS_OFF)
    customer.choose()
    customer.introduce()
    customer.page.route("**/orders", lambda route: route.abort())
    customer.page.locator("#place").click()
    expect(customer.page.locator("#unanswered")).to_be_visible()
    customer.page.unroute("**/orders")
    customer.page.reload()
    order_id = customer.follows()
    assert orders_of(system, customer.visitor.guest()) == [order_id]


def test_a_question_that_the_order_has_overtaken_is_closed_with_the_reason(
    customer: Customer, system: System
) -> None:
    page = customer.page
    order_id = customer.has_ordered(system)
    page.goto(f"/my/{order_id}")
    customer.sees("ACCEPTED")
    page.locator("#cancel").press("Enter")
    expect(page.locator("#cancel-dialog")).to_be_visible()
    for step in ("start", "ready"):
        post(system, f"/pickups/{order_id}/{step}")
    customer.sees("READY")
    expect(page.locator("#cancel-dialog")).to_be_hidden()
    expect(page.locator(".toast")).to_contain_text("cannot be cancelled any more")
    expect(page.locator("#headline")).to_be_focused()


def test_the_focus_stays_where_an_order_moves_on(customer: Customer, system: System) -> None:
    page = customer.page
    order_id = customer.has_ordered(system)
    page.goto("/my")
    page.locator(f"[data-order='{order_id}'] .entry-link").focus()
    post(system, f"/orders/{order_id}/cancel")
    entry = page.locator(f"[data-order='{order_id}']")
    expect(entry).to_have_attribute("data-status", "CANCELED")
    expect(entry.locator(".entry-link")).to_be_focused()

    other = customer.has_ordered(system)
    page.goto(f"/my/{other}")
    customer.sees("ACCEPTED")
    page.locator("#cancel").press("Enter")
    expect(page.locator("#cancel-dialog")).to_be_visible()
    page.locator("#cancel-dialog button[value=cancel]").press("Enter")
    customer.sees("CANCELED")
    expect(page.locator("#headline")).to_be_focused()


def test_a_time_is_shown_in_the_stores_zone_or_not_yet(enter: Enter, system: System) -> None:
    customer = Customer(enter(PHONE, timezone_id="America/New_York"))
    page = customer.page
    order_id = customer.has_ordered(system)
    held = held_back(page, "**/stores")
    page.goto(f"/my/{order_id}")
    assert "-" in customer.number
    expect(page.locator("#subline")).to_be_empty()
    expect(customer.step("placed").locator("time")).to_be_empty()
    let_go(page, held)
    expect(page.locator("#subline")).to_contain_text("GMT+9")
    expect(page.locator("#history time").first).to_contain_text("GMT+9")


def test_a_promise_that_was_not_kept_is_not_repeated(customer: Customer, system: System) -> None:
    customer.page.clock.install()
    order_id = customer.has_ordered(system)
    customer.page.goto(f"/my/{order_id}")
    expect(customer.page.locator("#subline")).to_contain_text("Ready at about")
    customer.visitor.hears_all()
    customer.page.route("**/*", lambda _: None)  # an answer would tell the time of now again
    customer.page.clock.fast_forward(3_600_000)
    expect(customer.page.locator("#subline")).to_contain_text("longer than promised")
