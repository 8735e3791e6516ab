"""Somebody at a browser of their own: what they see, and what went wrong there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import (
    APIResponse,
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Route,
    ViewportSize,
    expect,
)

from tests.support.system import eventually

PHONE: ViewportSize = {"width": 360, "height": 740}
TABLET: ViewportSize = {"width": 1280, "height": 800}
SEEN_MS = 30_000
"""How long anything may take to be seen on a busy machine; after that it is a failure."""

expect.set_options(timeout=SEEN_MS)


@dataclass
class Visitor:
    """One browser context with one page in it: nothing is shared with anybody else."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    """What no page may do: uncaught errors, violations of its security policy, foreign hosts."""
    unanswered: set[Request] = field(default_factory=set)
    """What the page has asked and not been answered yet."""

    @classmethod
    def enter(
        cls, browser: Browser, url: str, size: ViewportSize, locale: str = "en-US", **options: Any
    ) -> "Visitor":
        """Open a context of its own, as this size of screen and this language."""
        options = {"timezone_id": "Asia/Seoul"} | options
        context = browser.new_context(base_url=url, viewport=size, locale=locale, **options)
        context.set_default_timeout(SEEN_MS)
        visitor = cls(context.new_page(), url)
        visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        visitor.page.on("console", visitor._hear)
        context.on("request", visitor._watch)
        visitor.page.on("request", visitor._asks)
        visitor.page.on("requestfinished", visitor._is_answered)
        visitor.page.on("requestfailed", visitor._is_answered)
        return visitor

    def _hear(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.complaints.append(message.text)

    def _watch(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "data:", "blob:")):
            self.complaints.append(f"asked {request.url}")

    def _asks(self, request: Request) -> None:
        self.unanswered.add(request)

    def _is_answered(self, request: Request) -> None:
        self.unanswered.discard(request)

    def stops_the_clock(self) -> None:
        """Let the page's time stand still, and what it asked before be answered; it asks no more
        until the time goes on. Needs `page.clock`.
        """
        self.page.clock.pause_at(self.page.evaluate("Date.now() + 2000"))
        self.hears_all()

    def hears_all(self) -> None:
        """Wait until all that the page has asked is answered; a stream never is."""
        hears(
            self.page,
            lambda: all(request.url.endswith("/stream") for request in self.unanswered),
            "all is answered",
        )

    def guest(self) -> str:
        """Return the subject of the guest that this browser is."""
        kept = "JSON.parse(localStorage.getItem('siren.guest'))?.subject"
        # Not `wait_for_function`, whose later looks the page's security policy forbids.
        return str(eventually(lambda: self.page.evaluate(kept), "a guest"))

    def sees_no_change(self, glob: str, *, until: str | None = None) -> None:
        """Answer the addresses of this kind as the first time, until a POST to a path that ends so.

        To be called before the page is opened: what it asked earlier might be answered later.
        """
        answers: dict[str, APIResponse] = {}
        posted: list[Request] = []

        def answer(route: Route) -> None:
            if posted:
                route.continue_()
                return
            address = route.request.url
            if address not in answers:
                answers.setdefault(address, route.fetch())
            route.fulfill(response=answers[address])

        def notice(request: Request) -> None:
            if until and request.method == "POST" and request.url.endswith(until):
                posted.append(request)

        self.page.on("request", notice)
        self.page.route(glob, answer)

    def button(self, name: str, within: Locator | None = None) -> Locator:
        """Return the button that is called so."""
        return (within or self.page).get_by_role("button", name=name)

    def what_is_seen(self) -> str:
        """Return the page as a screen reader has it."""
        return self.page.locator("body").aria_snapshot()

    def leave(self) -> None:
        """Close the context, and find that nothing went wrong in it."""
        self.page.context.close()
        assert self.complaints == []


def hears(page: Page, condition: Callable[[], Any], what: str) -> None:
    """Wait for something that the page's own events bring about.

    They are heard only while the page is asked, and `eventually` alone does not ask it.
    """
    eventually(lambda: page.evaluate("true") and condition(), what)
