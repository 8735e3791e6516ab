"""A customer with a phone and a barista with a tablet, at the same time, on one order."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import Barista, Customer
from tests.browser.visitor import Visitor
from tests.support.outside import (
    accepted,
    assert_agreed,
    new_order,
    orders_of,
    place,
    post,
    reaches,
)
from tests.support.system import System, eventually

ROWS = 25
COUNT_TONES = """
    window.tones = 0;
    const start = AudioScheduledSourceNode.prototype.start;
    AudioScheduledSourceNode.prototype.start = function (...when) {
        window.tones += 1;
        return start.apply(this, when);
    };
"""


@pytest.fixture
def customer(phone: Visitor) -> Customer:
    return Customer(phone)


@pytest.fixture
def barista(tablet: Visitor) -> Barista:
    return Barista(tablet)


def test_each_step_of_the_barista_is_seen_on_the_customers_page_without_a_reload(
    customer: Customer, barista: Barista, system: System
) -> None:
    barista.watch()
    order_id = customer.order({"americano": 2, "bagel": 1}, name="영욱")
    customer.sees("ACCEPTED")
    customer.page.evaluate("window.isStillThisPage = true")

    ticket = barista.ticket(order_id, "new")
    for text in (customer.number, "영욱", "2 × Americano", "1 × Bagel"):
        expect(ticket).to_contain_text(text)

    for column, status, step in (
        ("new", "PREPARING", "preparing"),
        ("preparing", "READY", "ready"),
        ("ready", "PICKED_UP", "picked_up"),
    ):
        barista.moves(order_id, column)
        customer.sees(status)
        expect(customer.step(step)).to_have_attribute("data-state", "now")
    expect(barista.ticket(order_id)).to_have_count(0)
    assert customer.page.evaluate("window.isStillThisPage")
    reaches(system, order_id, "PICKED_UP")
    assert_agreed(system, order_id)


def test_the_board_shows_a_new_ticket_within_a_second(barista: Barista, system: System) -> None:
    """By the board's own clock, which stands still until the ticket is there."""
    barista.page.clock.install()
    barista.watch()
    barista.visitor.stops_the_clock()
    order_id = accepted(system)
    expect(barista.ticket(order_id)).to_have_count(0)
    barista.page.clock.run_for(1000)
    expect(barista.ticket(order_id, "new")).to_be_visible()


def test_tickets_stand_oldest_first_and_are_counted(barista: Barista, system: System) -> None:
    ids = [accepted(system, new_order(store_id="pangyo")) for _ in range(3)]
    barista.watch("pangyo")
    new = barista.column("new").locator("[data-ticket]")
    eventually(lambda: [t for t in barista.tickets("new") if t in ids] == ids, "oldest first")
    expect(barista.column("new").locator(".count")).to_have_text(str(new.count()))
    before = new.count()
    barista.moves(ids[0], "new")
    expect(barista.ticket(ids[0], "preparing")).to_be_visible()
    expect(barista.column("new").locator(".count")).to_have_text(str(before - 1))


def test_a_cancelled_order_is_struck_through_on_the_board_until_it_is_dismissed(
    customer: Customer, barista: Barista, system: System
) -> None:
    barista.watch()
    order_id = customer.order()
    customer.sees("ACCEPTED")
    number = customer.number
    expect(barista.ticket(order_id, "new")).to_be_visible()

    customer.cancels()

    customer.sees("CANCELED")
    expect(customer.page.locator("#money")).to_have_text("Refunded in full.")
    struck = barista.ticket(order_id).get_by_role("deletion")
    expect(struck).to_contain_text(number)
    expect(struck).to_have_css("text-decoration-line", "line-through")
    barista.page.reload()
    expect(struck).to_be_visible()
    barista.ticket(order_id).get_by_role("button").click()
    expect(barista.ticket(order_id)).to_have_count(0)
    reaches(system, order_id, "CANCELED")
    assert assert_agreed(system, order_id).live_charges == []


def test_what_is_being_made_cannot_be_cancelled_any_more(
    customer: Customer, system: System
) -> None:
    order_id = customer.order()
    customer.sees("ACCEPTED")
    expect(customer.page.locator("#cancel")).to_be_visible()
    post(system, f"/pickups/{order_id}/start")
    customer.sees("PREPARING")
    expect(customer.page.locator("#cancel")).to_be_hidden()


def test_rejecting_asks_why_and_tells_the_customer(
    customer: Customer, barista: Barista, system: System
) -> None:
    barista.watch()
    order_id = customer.order()
    customer.sees("ACCEPTED")

    barista.rejects(order_id, None)
    expect(barista.ticket(order_id, "new")).to_be_visible()
    customer.sees("ACCEPTED")

    barista.rejects(order_id, "the machine is on <fire>")
    customer.sees("CANCELED")
    expect(customer.page.locator("#subline")).to_contain_text("the machine is on <fire>")
    expect(customer.page.locator("#money")).to_have_text("Refunded in full.")
    expect(barista.ticket(order_id)).to_have_count(0)
    reaches(system, order_id, "CANCELED")
    assert assert_agreed(system, order_id).live_charges == []


def test_after_a_decline_another_card_pays_and_only_then_the_store_hears_of_it(
    customer: Customer, barista: Barista, system: System
) -> None:
    barista.watch()
    order_id = customer.order(token="tok_decline")
    customer.sees("PLACED")
    expect(customer.page.locator("#pay-note")).to_contain_text("Nothing was charged")
    barista.has_looked()
    expect(barista.ticket(order_id)).to_have_count(0)

    customer.pays("tok_approve")

    customer.sees("ACCEPTED")
    expect(barista.ticket(order_id, "new")).to_be_visible()
    reaches(system, order_id, "ACCEPTED")
    assert_agreed(system, order_id)


def test_an_order_can_be_paid_later(customer: Customer, system: System) -> None:
    order_id = customer.order(token=None)
    customer.sees("PLACED")
    customer.pays("tok_lost_reply")
    customer.sees("ACCEPTED")
    reaches(system, order_id, "ACCEPTED")
    assert len(assert_agreed(system, order_id).money_moved) == 1


def test_what_is_sold_out_cannot_be_ordered(customer: Customer, barista: Barista) -> None:
    barista.watch("jeju")
    customer.page.clock.install()
    customer.choose({"latte": 1, "bagel": 1}, "jeju")
    with barista.sold_out("Latte"):
        customer.waits_for_news()
        expect(customer.more("latte")).to_be_disabled()
        expect(customer.page.locator("[data-menu=latte]")).to_contain_text("Sold out")
        expect(customer.page.locator("#total")).to_have_text("₩3,500")
        customer.introduce()
        customer.place()
        expect(customer.page.locator("#items")).not_to_contain_text("Latte")
    customer.choose({}, "jeju")
    expect(customer.more("latte")).to_be_enabled()


def test_what_sold_out_a_moment_ago_is_refused_with_a_reason(
    customer: Customer, system: System
) -> None:
    customer.visitor.sees_no_change("**/stores/jeju/menu")
    customer.choose({"mocha": 1}, "jeju")
    customer.introduce()
    system.http.patch("/stores/jeju/menu/mocha", json={"sold_out": True})
    try:
        customer.page.locator("#place").click()
        expect(customer.page.locator("#refusal")).to_contain_text("sold out")
    finally:
        system.http.patch("/stores/jeju/menu/mocha", json={"sold_out": False})


def test_a_closed_store_takes_no_orders_and_says_so(
    customer: Customer, barista: Barista, system: System
) -> None:
    barista.watch("jeju")
    customer.page.clock.install()
    customer.choose({"bagel": 1}, "jeju")
    barista.switch("Taking orders", on=False)
    try:
        customer.waits_for_news()
        expect(customer.page.locator("[data-store=jeju]")).to_contain_text("Not taking orders")
        expect(customer.page.locator("#place")).to_be_disabled()
        assert system.http.get("/stores/jeju").json()["open"] is False
    finally:
        barista.switch("Taking orders", on=True)
    customer.waits_for_news()
    expect(customer.page.locator("#place")).to_be_enabled()


def test_a_full_store_takes_no_orders_until_it_has_room(
    customer: Customer, barista: Barista, system: System
) -> None:
    barista.watch("jeju")
    barista.limits("0")
    try:
        expect(barista.page.locator("#open-state")).to_contain_text("at most 0")
        customer.choose({"bagel": 1}, "jeju")
        customer.introduce()
        customer.page.locator("#place").click()
        expect(customer.page.locator("#refusal")).to_contain_text("too busy")
        assert orders_of(system, customer.visitor.guest()) == []
    finally:
        barista.limits("")
    assert system.http.get("/stores/jeju").json()["capacity"] is None
    customer.place()
    customer.sees("ACCEPTED")


def test_a_new_ticket_rings_where_somebody_turned_the_sound_on(
    barista: Barista, system: System
) -> None:
    page = barista.page
    page.add_init_script(COUNT_TONES)
    barista.watch("pangyo")
    unheard = accepted(system, new_order(store_id="pangyo"))
    expect(barista.ticket(unheard, "new")).to_be_visible()
    assert page.evaluate("tones") == 0

    page.locator("#sound").click()
    page.wait_for_function("tones === 1")  # so that one hears how loud it is
    heard = accepted(system, new_order(store_id="pangyo"))
    expect(barista.ticket(heard, "new")).to_be_visible()
    page.wait_for_function("tones === 2")

    page.locator("#sound").click()
    unheard = accepted(system, new_order(store_id="pangyo"))
    expect(barista.ticket(unheard, "new")).to_be_visible()
    assert page.evaluate("tones") == 2


def test_one_tap_orders_the_same_again(customer: Customer, system: System) -> None:
    first = customer.order({"latte": 2})
    customer.sees("ACCEPTED")
    customer.page.goto("/")
    customer.page.locator("#again-place").click()
    second = customer.follows()
    assert second != first
    customer.sees("ACCEPTED")
    lines = [system.http.get(f"/orders/{order}").json()["items"] for order in (first, second)]
    assert lines[0] == lines[1]

    customer.page.goto("/my")
    entries = customer.page.locator("[data-order]")
    expect(entries).to_have_count(2)
    assert [e.get_attribute("data-order") for e in entries.all()] == [second, first]


def test_owner_tables_filter_and_open_one_with_its_events(tablet: Visitor, system: System) -> None:
    order_id = str(place(system, new_order("tok_decline"))["order_id"])
    page = tablet.page
    page.goto("/owner/payments")
    page.locator("#order_id").fill(order_id)
    page.locator("#filters button.primary").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody tr").get_by_role("button").click()
    expect(page.locator("#opened")).to_contain_text("12,500")
    expect(page.locator("#history [data-event=PaymentDeclined]")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#status").select_option("APPROVED")
    page.locator("#filters button.primary").click()
    expect(page.locator("#none")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(0)


def test_an_owner_table_turns_its_pages_forth_and_back(tablet: Visitor, system: System) -> None:
    for _ in range(ROWS + 1):
        accepted(system)
    page = tablet.page
    page.goto("/owner/order-details?store_id=gangnam")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(ROWS)
    expect(page.locator("#newer")).to_be_disabled()
    first = rows_of(page)

    page.locator("#older").click()
    expect(page.locator("#newer")).to_be_enabled()
    assert not set(first) & set(rows_of(page))
    page.locator("#newer").click()
    expect(page.locator("#newer")).to_be_disabled()
    assert rows_of(page) == first


def rows_of(page: Page) -> list[str | None]:
    """Return the ids of a table's rows, from its top."""
    return [row.get_attribute("data-row") for row in page.locator("tbody tr").all()]
