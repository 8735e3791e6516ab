"""Whatever somebody types or follows as an address: a page with words, and no script of theirs."""

import re
from urllib.parse import quote

from playwright.sync_api import expect

from tests.browser.visitor import Visitor

SOME_WORDS = re.compile(r"\w+ \w+")
SCRIPT = "<img src=x onerror=window.pwned=1><script>window.pwned=1</script>"
NASTY = quote(SCRIPT, safe="")
LINK = "javascript:window.pwned=1"
ADDRESSES = [
    f"/?again={NASTY}&{NASTY}#{SCRIPT}",
    f"/my?{NASTY}={NASTY}#{LINK}",
    f"/my/{quote('<script>window.pwned=1<', safe='')}?x#{SCRIPT}",
    "/my/%",
    "/my/%zz?%zz",
    f"/my/{'x' * 64}#%",
    f"/board/{quote('<img src=x onerror=window.pwned=1>', safe='')}#{SCRIPT}",
    "/board/%",
    "/board/%E0%A4#%E0%A4",
    f"/owner/order-details?order_id={NASTY}&store_id={NASTY}&order_status={NASTY}&cursor={NASTY}",
    f"/owner/payments?payment_id={NASTY}&status={NASTY}&cursor=%00#{LINK}",
    f"/sign-in?next={quote(LINK, safe='')}&next={NASTY}#{SCRIPT}",
    "/sign-in?next=//evil.example/%0d%0a",
    f"/nowhere/{NASTY}?{NASTY}#{SCRIPT}",
    f"/static/{NASTY}",
    "/%00",
    "/my/..%2f..%2fsign-in",
]


def test_no_address_shows_an_empty_page_or_runs_what_it_says(tablet: Visitor) -> None:
    page = tablet.page
    page.on("dialog", lambda dialog: tablet.complaints.append(dialog.message))
    for address in ADDRESSES:
        answer = page.goto(address)
        assert answer is not None
        assert answer.status in (200, 404), address
        tablet.hears_all()
        expect(page.locator("main")).to_have_text(SOME_WORDS)
        assert page.title(), address
        assert page.evaluate("window.pwned === undefined"), address
        assert tablet.complaints == [], address
