"""Any name, either language, no mouse, a narrow screen: the pages are for everybody."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Enter
from tests.browser.people import Barista, Customer
from tests.browser.sights import SIGHTS
from tests.browser.visitor import PHONE, Visitor
from tests.support.outside import post
from tests.support.system import System

MARKUP = '<img src=x onerror="window.ran=1">'
RIGHT_TO_LEFT = "שלום abc"
MOST_TABS = 80


def test_a_name_is_text_on_every_page(phone: Visitor, tablet: Visitor) -> None:
    customer, barista = Customer(phone), Barista(tablet)
    orders = {name: customer.order(name=name) for name in (MARKUP, RIGHT_TO_LEFT)}
    customer.sees("ACCEPTED")
    barista.watch()
    for name, order_id in orders.items():
        shown = barista.ticket(order_id, "new").locator("bdi", has_text=name)
        assert shown.inner_text() == name
    for name, order_id in orders.items():
        tablet.page.goto(f"/owner/order-details?order_id={order_id}")
        expect(tablet.page.locator("#facts bdi", has_text=name)).to_be_visible()
        row = tablet.page.locator(f"[data-row='{order_id}']")
        assert row.locator("bdi", has_text=name).inner_text() == name
    for sight in SIGHTS:
        sight.visit(phone, order_id)
        assert phone.page.evaluate("window.ran") is None, sight.name
        expect(phone.page.locator("img[src=x]")).to_have_count(0)


@pytest.mark.parametrize("reason", [MARKUP, RIGHT_TO_LEFT, "other"])
def test_what_a_store_says_is_text_too(phone: Visitor, system: System, reason: str) -> None:
    customer = Customer(phone)
    order_id = customer.order()
    customer.sees("ACCEPTED")
    post(system, f"/pickups/{order_id}/reject", {"reason": reason})
    customer.sees("CANCELED")
    expect(phone.page.locator("#subline")).to_have_text(f"“{reason}”")
    expect(phone.page.locator("#history")).to_contain_text(reason)
    assert phone.page.evaluate("window.ran") is None


def test_the_language_is_the_browsers_until_it_is_switched(enter: Enter) -> None:
    page = enter(PHONE, locale="ko-KR").page
    page.goto("/")
    html = page.locator("html")
    expect(html).to_have_attribute("lang", "ko")
    expect(page.locator("[data-menu=latte]")).to_contain_text("라테")

    page.get_by_role("button", name="English").click()
    expect(html).to_have_attribute("lang", "en")
    expect(page.locator("[data-menu=latte]")).to_contain_text("Latte")
    answer = page.goto("/my")
    assert answer
    assert '<html lang="en">' in answer.text(), "it comes in the language that was chosen"
    expect(html).to_have_attribute("lang", "en")

    page.get_by_role("button", name="한국어").click()
    expect(html).to_have_attribute("lang", "ko")


def test_a_time_of_day_has_two_digits_for_the_hour_in_either_language(enter: Enter) -> None:
    for locale in ("ko-KR", "en-US"):
        page = enter(PHONE, locale=locale, timezone_id="Asia/Seoul").page
        page.goto("/my")
        told = page.evaluate(
            """import("/static/language.js").then(({ when, whenExactly }) =>
                [when, whenExactly].map((tell) => tell("2026-01-04T23:04:07Z", "Asia/Seoul")))"""
        )
        assert [time.split(" ")[-1] for time in told] == ["08:04", "08:04:07"]


def test_an_order_needs_no_mouse(phone: Visitor) -> None:
    page = phone.page
    page.goto("/")
    customer = Customer(phone)
    expect(customer.more("latte")).to_be_visible()

    tab_to(page, page.locator("[data-store] input:checked"))
    choose_by_arrows(page, "pangyo")
    expect(page.locator("#wait")).to_contain_text("Pangyo")
    tab_to(page, customer.more("latte"))
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    expect(page.locator("#total")).to_have_text("₩10,000")
    tab_to(page, page.locator("#name"))
    page.keyboard.type("Mina")
    tab_to(page, page.locator("#tel"))
    page.keyboard.type("010-1234-5678")
    tab_to(page, page.locator("#place"))
    page.keyboard.press("Enter")

    customer.follows()
    customer.sees("ACCEPTED")
    tab_to(page, page.locator("#cancel"))
    page.keyboard.press("Enter")
    expect(page.locator("#cancel-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#cancel-dialog")).to_be_hidden()
    expect(page.locator("#cancel")).to_be_focused()
    customer.sees("ACCEPTED")


def test_a_barista_needs_no_mouse(phone: Visitor, tablet: Visitor) -> None:
    barista = Barista(tablet)
    order_id = Customer(phone).order(store_id="pangyo")
    barista.watch("pangyo")
    expect(barista.ticket(order_id, "new")).to_be_visible()
    tab_to(tablet.page, barista.ticket(order_id).locator("[data-button=start]"))
    tablet.page.keyboard.press("Enter")
    expect(barista.ticket(order_id, "preparing")).to_be_visible()


def test_the_focus_stays_while_the_page_keeps_itself_up_to_date(phone: Visitor) -> None:
    customer = Customer(phone)
    customer.order()
    phone.page.clock.install()
    phone.page.goto("/")
    again = phone.page.locator("#again-place")
    expect(again).to_be_visible()
    again.focus()
    with phone.page.expect_response("**/stores"):
        phone.page.clock.run_for(6_000)
    with phone.page.expect_response("**/stores"):
        phone.page.clock.run_for(6_000)
    expect(again).to_be_focused()


def test_nothing_sticks_out_of_a_narrow_screen(phone: Visitor) -> None:
    order_id = Customer(phone).order(name="Wolfeschlegelsteinhausenbergerdorff")
    for sight in SIGHTS:
        sight.visit(phone, order_id)
        width = phone.page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], sight.name


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the target has the focus, and see that it shows."""
    handle = target.element_handle()
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("element => element === document.activeElement", handle):
            ring = "element => getComputedStyle(element).outlineStyle"
            assert page.evaluate(ring, handle) != "none", "nobody can see where the focus is"
            return
    raise AssertionError(f"the keyboard does not reach {target}")


def choose_by_arrows(page: Page, store_id: str) -> None:
    """Move in a group of radio buttons until this one is chosen."""
    chosen = page.locator(f"[data-store={store_id}] input")
    for _ in range(3):
        if chosen.is_checked():
            return
        page.keyboard.press("ArrowDown")
    expect(chosen).to_be_checked()
