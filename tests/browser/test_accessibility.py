"""axe-core on every page, in both languages and both themes, also where something is open."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Enter
from tests.browser.people import AGES, Barista, Customer, promise
from tests.browser.sights import SIGHTS
from tests.browser.visitor import PHONE, TABLET
from tests.support.outside import accepted, new_order, post
from tests.support.system import System

BAD = ("serious", "critical")
LANGUAGES = ("en-US", "ko-KR")


@pytest.mark.parametrize("locale", LANGUAGES)
def test_axe_finds_nothing_serious_on_any_page(enter: Enter, system: System, locale: str) -> None:
    visitor = enter(PHONE, locale=locale, reduced_motion="reduce")
    customer = Customer(visitor)
    accepted_id = customer.has_ordered(system)
    order_id = customer.has_ordered(system, "tok_decline")
    for sight in SIGHTS:
        sight.visit(visitor, order_id)
        assert violations(visitor.page) == [], sight.name
    visitor.page.goto(f"/my/{accepted_id}")
    customer.sees("ACCEPTED")
    assert violations(visitor.page) == []
    visitor.page.locator("#cancel").click()
    assert violations(visitor.page) == []


@pytest.mark.parametrize("locale", LANGUAGES)
def test_axe_finds_nothing_serious_on_a_busy_board_and_in_its_dialogs(
    enter: Enter, system: System, locale: str
) -> None:
    made, ready, canceled, _new = orders = [
        accepted(system, new_order(store_id="pangyo")) for _ in range(4)
    ]
    visitor = enter(TABLET, locale=locale, reduced_motion="reduce")
    barista = Barista(visitor)
    barista.watch("pangyo")
    for order_id in orders:
        barista.ticket(order_id, "new").wait_for()
    for path in (
        f"/pickups/{made}/start",
        f"/pickups/{ready}/start",
        f"/pickups/{ready}/ready",
        f"/orders/{canceled}/cancel",
    ):
        post(system, path)
    barista.ticket(ready, "ready").wait_for()
    barista.ticket(canceled).get_by_role("deletion").wait_for()
    for age, minutes in AGES.items():
        promise(system, made, minutes)
        expect(barista.ticket(made)).to_have_attribute("data-age", age)
        assert violations(visitor.page) == [], age
    for opener in ("#settings", "[data-button=reject]"):
        visitor.page.locator(opener).first.click()
        assert violations(visitor.page) == [], opener
        visitor.page.keyboard.press("Escape")


def violations(page: Page) -> list[tuple[str, str, list[Any]]]:
    """Return what axe finds that keeps people out, by day and by night."""
    page.emulate_media(color_scheme="light")
    found = Axe().run(page).response["violations"]
    page.emulate_media(color_scheme="dark")  # where nothing but the colours differs
    contrast = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}
    found += Axe().run(page, options=contrast).response["violations"]
    return [
        (rule["id"], rule["help"], [node["html"] for node in rule["nodes"]])
        for rule in found
        if rule["impact"] in BAD
    ]
