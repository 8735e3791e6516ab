"""Guests see their own orders, staff their own store, and both of them only after signing in."""

from collections.abc import Iterator
from urllib.parse import quote
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Enter
from tests.browser.people import Barista, Customer
from tests.browser.visitor import PHONE, TABLET, Visitor
from tests.support.system import System


@pytest.fixture
def stranger(chromium: Browser, public: System) -> Iterator[Visitor]:
    """Somebody with a tablet who has not signed in."""
    visitor = Visitor.enter(chromium, public.url, TABLET)
    yield visitor
    visitor.leave()


def test_an_order_of_another_guest_is_as_if_it_were_not(enter: Enter) -> None:
    one, other = Customer(enter(PHONE)), Customer(enter(PHONE))
    order_id = one.order()
    texts = []
    for address in (f"/my/{order_id}", f"/my/{uuid4().hex}"):
        other.page.goto(address)
        expect(other.page.locator("#missing")).to_be_visible()
        texts.append(other.page.locator("main").inner_text())
    assert texts[0] == texts[1]
    other.page.goto("/my")
    expect(other.page.locator("#none")).to_be_visible()


def test_a_guest_who_comes_back_when_half_the_time_is_over_is_the_same_for_longer(
    phone: Visitor,
) -> None:
    customer = Customer(phone)
    order_id = customer.order()
    guest = phone.guest()
    phone.page.evaluate(
        """() => {
            const known = JSON.parse(localStorage["siren.guest"]);
            localStorage["siren.guest"] = JSON.stringify({ ...known, renewAt: 0 });
        }"""
    )
    with phone.page.expect_response(lambda answer: answer.request.method == "POST") as renewed:
        phone.page.goto("/my")
    assert renewed.value.url.endswith("/session")
    expect(phone.page.locator(f"[data-order='{order_id}']")).to_be_visible()
    assert phone.guest() == guest
    assert phone.page.evaluate("JSON.parse(localStorage['siren.guest']).renewAt > Date.now()")


@pytest.mark.parametrize("path", ["/", "/board/gangnam", "/owner/payments"])
def test_a_machine_without_sign_in_says_that_everybody_is_the_owner(
    tablet: Visitor, path: str
) -> None:
    tablet.page.goto(path)
    expect(tablet.page.locator("#owner-banner")).to_be_visible()


def test_staff_sign_in_and_are_led_back_to_their_board(
    stranger: Visitor, chromium: Browser, public: System
) -> None:
    guest = Visitor.enter(chromium, public.url, PHONE)
    order_id = Customer(guest).order()
    page = stranger.page
    page.goto("/board/gangnam")
    page.wait_for_url("**/sign-in?next=%2Fboard%2Fgangnam")
    sign_in(page, token(public, "staff", "--store", "gangnam"))
    page.wait_for_url("**/board/gangnam")
    expect(page.locator("#owner-banner")).to_have_count(0)
    barista = Barista(stranger)
    barista.moves(order_id, "new")
    Customer(guest).sees("PREPARING")
    guest.leave()

    page.goto("/board/jeju")
    page.wait_for_url("**/board/gangnam")
    expect(page.locator("#toasts")).to_contain_text("another store’s")
    page.goto("/owner/order-details?store_id=jeju")
    expect(page.locator("#none")).to_contain_text("“jeju” is none of the choices")
    expect(page.locator("#boards").get_by_role("link")).to_have_text(["Gangnam"])


def test_staff_on_the_owners_page_are_told_whose_it_is(stranger: Visitor, public: System) -> None:
    page = stranger.page
    page.goto("/owner/payments")
    for _ in range(2):
        page.wait_for_url("**/sign-in?next=%2Fowner%2Fpayments")
        sign_in(page, token(public, "staff", "--store", "gangnam"))
        expect(page.locator("#refusal")).to_contain_text("signed in as staff of")
    page.locator("#own-board").click()
    page.wait_for_url("**/board/gangnam")
    page.goto("/owner/payments")
    expect(page.locator("#refusal")).to_contain_text("the owner’s")
    sign_in(page, token(public, "owner"))
    page.wait_for_url("**/owner/payments")


def test_a_token_is_taken_as_it_was_copied_and_what_is_none_is_called_so(
    stranger: Visitor, public: System
) -> None:
    page = stranger.page
    page.goto("/sign-in")
    refusal = page.locator("#refusal")
    sign_in(page, "토큰")
    expect(refusal).to_contain_text("This is no token")
    page.context.set_offline(True)
    sign_in(page, "abc")
    expect(refusal).to_contain_text("You may be offline")
    page.context.set_offline(False)
    copied = token(public, "staff", "--store", "gangnam")
    sign_in(page, f" {copied[:40]}\n  {copied[40:]}\n")
    page.wait_for_url("**/board/gangnam")


def test_a_token_that_is_none_is_refused_and_kept_nowhere(stranger: Visitor) -> None:
    page = stranger.page
    page.goto("/sign-in")
    sign_in(page, "not.a.token")
    expect(page.locator("#refusal")).not_to_be_empty()
    assert page.evaluate("JSON.stringify([localStorage, sessionStorage])").count("not.a") == 0


@pytest.mark.parametrize(
    ("wish", "leads_to"),
    [
        ("https://elsewhere.example/", "/owner/order-details"),
        ("//elsewhere.example/", "/owner/order-details"),
        ("javascript:alert(1)", "/owner/order-details"),
        ("/.//elsewhere.example/", "//elsewhere.example/"),  # a path of this site
    ],
)
def test_signing_in_leads_to_no_other_site(
    stranger: Visitor, public: System, wish: str, leads_to: str
) -> None:
    page = stranger.page
    page.goto(f"/sign-in?next={quote(wish)}")
    sign_in(page, token(public, "owner"))
    page.wait_for_url(f"{public.url}{leads_to}")


def token(system: System, role: str, *more: str) -> str:
    """Return a token as `siren token` prints it."""
    printed = system.siren("token", "--role", role, *more)
    assert printed.returncode == 0, printed.stderr
    return printed.stdout.strip()


def sign_in(page: Page, token: str) -> None:
    """Paste a token on the page to sign in."""
    page.locator("#token").fill(token)
    page.locator("#enter").click()
