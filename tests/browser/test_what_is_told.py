"""What the pages say is so: ages, states, whose payment, which time, and what is not there."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Enter
from tests.browser.people import Barista, Customer, change_ticket, promise
from tests.browser.visitor import PHONE, TABLET, Visitor
from tests.support.outside import accepted, new_order, place, post
from tests.support.system import System

SHIFTS = """
    window.moved = 0;
    new PerformanceObserver((list) => {
        for (const { value } of list.getEntries()) window.moved += value;
    }).observe({ type: "layout-shift", buffered: true });
"""
BARELY = 0.01
LISTS = "**/pickups?store_id=*"


def test_a_ticket_ages_by_the_servers_clock_against_what_was_promised(
    tablet: Visitor, system: System
) -> None:
    """Neither the tablet's clock, which is a day ahead, nor a fixed time says that it is late."""
    barista = Barista(tablet)
    long, late, ready = (accepted(system, new_order(store_id="jeju")) for _ in range(3))
    hour_ago = datetime.now(UTC) - timedelta(minutes=60)
    for order_id in (long, ready):
        change_ticket(system, order_id, "opened_at", hour_ago)
    promise(system, long, 45)
    promise(system, late, -3)
    for step in ("start", "ready"):
        post(system, f"/pickups/{ready}/{step}")
    tablet.page.clock.set_system_time(datetime.now(UTC) + timedelta(days=1))
    barista.watch("jeju")
    for order_id, age, text in (
        (long, "fresh", "60 min"),
        (late, "late", "0 min · late"),
        (ready, "fresh", "ready for 0 min"),
    ):
        expect(barista.ticket(order_id)).to_have_attribute("data-age", age)
        expect(barista.ticket(order_id).locator(".age")).to_have_text(text)


def test_the_second_barista_on_a_ticket_is_told_and_sees_where_it_is(
    enter: Enter, system: System
) -> None:
    first, second = Barista(enter(TABLET)), Barista(enter(TABLET))
    order_id = accepted(system, new_order(store_id="jeju"))
    second.visitor.sees_no_change(LISTS)  # it does not hear of what the first one does
    second.watch("jeju")
    expect(second.ticket(order_id, "new")).to_be_visible()
    toast = second.page.locator(".toast")

    post(system, f"/pickups/{order_id}/start")
    second.moves(order_id, "new")
    expect(toast.last).to_contain_text("somebody else was faster. It is now: Preparing")
    expect(second.ticket(order_id, "preparing")).to_be_visible()

    second.page.unroute(LISTS)
    first.watch("jeju")
    first.moves(order_id, "preparing")
    expect(first.ticket(order_id, "ready")).to_be_visible()
    expect(first.page.locator(".toast")).to_have_count(0)


def test_a_button_that_comes_out_of_turn_shows_what_the_ticket_has_become(
    tablet: Visitor, system: System
) -> None:
    barista = Barista(tablet)
    order_id = accepted(system, new_order(store_id="jeju"))
    tablet.sees_no_change(LISTS)
    barista.watch("jeju")
    expect(barista.ticket(order_id, "new")).to_be_visible()
    for step in ("start", "ready"):
        post(system, f"/pickups/{order_id}/{step}")
    barista.moves(order_id, "new")
    expect(tablet.page.locator(".toast")).to_contain_text("It is now: Ready")
    expect(barista.ticket(order_id, "ready")).to_be_visible()


@pytest.mark.parametrize("locale", ["en-US", "ko-KR"])
def test_nothing_moves_while_a_page_starts(enter: Enter, system: System, locale: str) -> None:
    post(system, f"/pickups/{accepted(system)}/start")
    accepted(system)
    moved = {}
    for size in (PHONE, {"width": 768, "height": 1024}, TABLET):
        visitor = enter(size, locale=locale)
        Customer(visitor).has_ordered(system)
        visitor.page.add_init_script(SHIFTS)
        for address, drawn in (
            ("/board/gangnam", "[data-ticket]"),
            ("/", "[data-menu]"),
            ("/owner/payments", "tbody tr"),
        ):
            visitor.page.goto(address)
            visitor.page.locator(drawn).first.wait_for()
            with visitor.page.expect_response(re.compile("pickups|stores|payments|events")):
                visitor.page.reload()
            visitor.page.locator(drawn).first.wait_for()
            moved[f"{address} {size['width']}"] = visitor.page.evaluate("moved")
            assert visitor.page.evaluate("scrollY + scrollX") == 0
        visitor.leave()
    assert {page: amount for page, amount in moved.items() if amount > BARELY} == {}


@pytest.mark.parametrize("address", ["/board/nope", "/my/nope"])
def test_an_address_of_nothing_says_so_and_leads_on(
    tablet: Visitor, system: System, address: str
) -> None:
    tablet.page.goto(address)
    missing = tablet.page.locator("#missing")
    expect(missing).to_be_visible()
    expect(tablet.page.locator("[data-column=new]")).to_be_hidden()
    missing.get_by_role("link").first.click()
    leads_to = "/board/gangnam" if "board" in address else "/my"
    tablet.page.wait_for_url(f"{system.url}{leads_to}")


def test_a_cancelled_order_ends_its_progress_with_the_cancellation(
    phone: Visitor, system: System
) -> None:
    customer = Customer(phone)
    order_id = customer.has_ordered(system)
    post(system, f"/orders/{order_id}/cancel")
    phone.page.goto(f"/my/{order_id}")
    customer.sees("CANCELED")
    steps = phone.page.locator("#progress li")
    expect(steps.last).to_have_attribute("data-step", "canceled")
    expect(steps.last).to_have_attribute("data-state", "now")
    expect(customer.step("accepted")).to_have_attribute("data-state", "done")
    expect(customer.step("ready")).to_have_count(0)


def test_a_charge_whose_outcome_is_unknown_is_not_called_none(
    phone: Visitor, system: System
) -> None:
    customer = Customer(phone)
    phone.page.goto("/")
    order = new_order("tok_unavailable")
    order["customer"]["id"] = phone.guest()
    order_id = place(system, order, prefer="respond-async")["order_id"]
    phone.page.goto(f"/my/{order_id}")
    phone.page.locator("#cancel").click()
    note = phone.page.locator("#cancel-note")
    expect(note).to_contain_text("not confirmed yet")
    expect(note).not_to_contain_text("Nothing was charged")
    phone.page.keyboard.press("Escape")
    customer.cancels()
    customer.sees("CANCELED", within_ms=60_000)
    expect(phone.page.locator("#money")).to_contain_text("Whatever was charged is refunded")


def test_a_payment_is_told_by_number_and_store_in_the_stores_time(
    enter: Enter, system: System
) -> None:
    order = place(system)
    page = enter(TABLET, timezone_id="America/New_York").page
    page.goto(f"/owner/payments?order_id={order['order_id']}")
    row = page.locator("tbody tr")
    paid_at = datetime.fromisoformat(order["paid_at"]) + timedelta(hours=9)
    for text in (order["pickup_number"], "Gangnam", "₩12,500", f"{paid_at:%H:%M} GMT+9"):
        expect(row).to_contain_text(text)
    expect(page.locator("#zones")).to_contain_text("Asia/Seoul")
    page.goto(f"/owner/order-details?order_id={order['order_id']}")
    expect(page.locator("#history li").first).to_contain_text("GMT+9")


def test_an_owner_table_says_what_is_wrong_in_its_place_and_leads_back(
    tablet: Visitor, system: System
) -> None:
    order = place(system)
    page = tablet.page
    page.goto(f"/owner/payments?order_id=%20{order['order_id']}%20")
    expect(page.locator("tbody tr")).to_have_count(1)
    for address, told in (
        ("payments?order_id=a%20b", "check what you entered"),
        ("order-details?store_id=nope", "“nope” is none of the choices"),
        ("order-details?cursor=xyz", "no longer there"),
    ):
        page.goto(f"/owner/{address}")
        expect(page.locator("#none")).to_contain_text(told)
        expect(page.locator("tbody tr")).to_have_count(0)
    page.locator("#none").get_by_role("link").click()
    page.wait_for_url("**/owner/order-details")
    expect(page.locator("tbody tr").first).to_be_visible()


def test_a_page_of_a_table_is_in_its_address(tablet: Visitor, system: System) -> None:
    for _ in range(26):
        place(system, new_order(None, store_id="pangyo"))
    page = tablet.page
    page.goto("/owner/order-details?store_id=pangyo&order_status=PLACED")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(25)
    page.locator("#older").click()
    page.wait_for_url("**cursor=**")
    expect(page.locator("#newer")).to_be_enabled()
    first = rows.first.get_attribute("data-row")
    page.reload()
    expect(rows.first).to_have_attribute("data-row", first or "")
    expect(page.locator("#store_id")).to_have_value("pangyo")
    page.go_back()
    expect(rows).to_have_count(25)
    expect(page.locator("#newer")).to_be_disabled()
