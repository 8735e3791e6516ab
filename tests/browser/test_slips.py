"""What a hand does by mistake: a button that slid under it does nothing, and no text gets lost."""

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Enter
from tests.browser.people import Barista
from tests.browser.visitor import PHONE, Visitor
from tests.support.outside import accepted, new_order, post
from tests.support.system import System

A_MOMENT_MS = 600
ON_TOP = """element => {
    const { left, top, width, height } = element.getBoundingClientRect();
    return element.contains(document.elementFromPoint(left + width / 2, top + height / 2));
}"""


@pytest.fixture
def barista(tablet: Visitor) -> Barista:
    return Barista(tablet)


def watch_with_clock(barista: Barista, store_id: str) -> None:
    """Watch a board whose time goes on when the test says so."""
    barista.page.clock.install()
    barista.watch(store_id)
    barista.visitor.stops_the_clock()


def click_place(button: Locator) -> Any:
    """Click where a button is; return how to click there again, whatever is there then."""
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box
    place = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    button.page.mouse.click(*place)
    return lambda: button.page.mouse.click(*place)


def first(barista: Barista, column: str, button: str) -> tuple[str, Locator]:
    """Return the order on top of a column, and its button of this name."""
    order_id = barista.tickets(column)[0]
    assert order_id
    return order_id, barista.ticket(order_id).locator(f"[data-button={button}]")


def test_the_second_click_of_two_does_not_act_on_the_next_ticket(
    barista: Barista, system: System
) -> None:
    for _ in range(3):
        accepted(system, new_order(store_id="jeju"))
    watch_with_clock(barista, "jeju")
    one, start = first(barista, "new", "start")
    again = click_place(start)
    expect(barista.ticket(one, "preparing")).to_be_visible()
    two, _ = first(barista, "new", "start")
    again()
    expect(barista.ticket(two, "new").locator("[data-button=start]")).to_be_enabled()

    barista.moves(one, "preparing")  # another column, at the same moment: nobody is held up
    expect(barista.ticket(one, "ready")).to_be_visible()
    expect(barista.ticket(two, "new")).to_be_visible()

    barista.page.clock.run_for(A_MOMENT_MS)
    again()
    expect(barista.ticket(two, "preparing")).to_be_visible()


def test_enter_pressed_twice_acts_on_one_ticket(barista: Barista, system: System) -> None:
    order_id, other = (accepted(system, new_order(store_id="jeju")) for _ in range(2))
    post(system, f"/pickups/{order_id}/start")
    post(system, f"/pickups/{order_id}/ready")
    barista.watch("jeju")
    barista.ticket(order_id, "ready").locator("[data-button=complete]").focus()
    barista.page.keyboard.press("Enter")
    expect(barista.ticket(order_id)).to_have_count(0)
    expect(barista.column("ready").get_by_role("heading")).to_be_focused()
    barista.ticket(other).locator("[data-button=start]").focus()
    barista.page.keyboard.press("Enter")
    expect(barista.ticket(other, "preparing")).to_be_focused()
    barista.page.keyboard.press("Enter")
    barista.has_looked()
    expect(barista.ticket(other, "preparing")).to_be_visible()


def test_a_reason_in_words_is_kept_until_it_is_taken(barista: Barista, system: System) -> None:
    order_id = accepted(system, new_order(store_id="jeju"))
    barista.watch("jeju")
    barista.ticket(order_id).locator("[data-button=reject]").click()
    dialog = barista.page.locator("#reject-dialog")
    reason = dialog.locator("#reason-text")
    confirm = dialog.locator("button[value=reject]")
    reason.fill("payment_timeout")
    reason.press("Enter")
    expect(confirm).to_be_focused()
    expect(reason).to_have_value("payment_timeout")
    confirm.click()
    expect(dialog.get_by_role("alert")).to_contain_text("other words")
    expect(reason).to_have_value("payment_timeout")
    reason.fill("the oven fell over")
    confirm.click()
    expect(dialog).to_be_hidden()
    expect(barista.ticket(order_id)).to_have_count(0)
    canceled = system.http.get(f"/orders/{order_id}").json()
    assert canceled["cancel_reason"] == "the oven fell over"


def test_a_switch_that_is_not_saved_goes_back_and_says_so_in_its_drawer(enter: Enter) -> None:
    page = enter(PHONE).page
    Barista(Visitor(page, "")).watch("jeju")
    page.locator("#settings").click()
    switch = page.get_by_role("switch", name="Mocha: sold out", exact=True)
    expect(switch).not_to_be_checked()
    page.context.set_offline(True)
    expect(page.locator("#connection")).not_to_be_empty()
    switch.click()
    toast = page.locator(".toast", has_text="Not saved")
    expect(toast).to_be_visible()
    expect(switch).not_to_be_checked()
    for told in (toast, page.locator("#connection")):
        assert told.evaluate(ON_TOP)
    assert_apart(page, "#connection", "#counter h2")
    page.keyboard.press("Escape")
    assert_apart(page, "#connection", "h1")


def assert_apart(page: Page, one: str, other: str) -> None:
    """See that neither of two lies over the other."""
    boxes = [page.locator(each).bounding_box() for each in (one, other)]
    upper, lower = sorted((box for box in boxes if box), key=lambda box: box["y"])
    assert upper["y"] + upper["height"] <= lower["y"]


def test_a_server_that_is_busy_is_not_told_as_being_offline(tablet: Visitor) -> None:
    def busy(route: Route) -> None:
        route.fulfill(status=503, content_type="application/problem+json", body="{}")

    tablet.page.add_init_script("Object.defineProperty(navigator, 'onLine', { value: false })")
    tablet.page.route("**/pickups?*", busy)
    tablet.page.goto("/board/jeju")
    expect(tablet.page.locator("#connection")).to_contain_text("busy")


def test_the_board_says_why_an_order_was_cancelled(barista: Barista, system: System) -> None:
    ids = [accepted(system, new_order(store_id="jeju")) for _ in range(2)]
    barista.watch("jeju")
    for order_id in ids:
        expect(barista.ticket(order_id, "new")).to_be_visible()
    post(system, f"/orders/{ids[0]}/cancel", {"reason": "no milk was delivered"})
    post(system, f"/orders/{ids[1]}/cancel")
    expect(barista.ticket(ids[0])).to_contain_text("Cancelled: ")
    expect(barista.ticket(ids[0])).to_contain_text("“no milk was delivered”")
    expect(barista.ticket(ids[0])).not_to_contain_text("by the customer")
    expect(barista.ticket(ids[1])).to_contain_text("Cancelled by the customer")
