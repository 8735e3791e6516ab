"""Browsers for the tests of the pages: the system's own Chromium, and visitors in it."""

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ViewportSize, sync_playwright

from tests.browser import chromium as browsers
from tests.browser.visitor import PHONE, TABLET, Visitor
from tests.support.system import System

Enter = Callable[..., Visitor]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a file.

    Not for the whole run: while Playwright is open its event loop holds the thread, and tests with
    loops of their own cannot run.
    """
    path = browsers.find() or pytest.fail(browsers.MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=browsers.SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def enter(chromium: Browser, system: System) -> Iterator[Enter]:
    """Open contexts on the system, as many as the test wants; each is checked when it ends."""
    visitors: list[Visitor] = []

    def enter_with(size: ViewportSize, **options: Any) -> Visitor:
        visitors.append(Visitor.enter(chromium, system.url, size, **options))
        return visitors[-1]

    yield enter_with
    for visitor in visitors:
        visitor.leave()


@pytest.fixture
def phone(enter: Enter) -> Visitor:
    """A customer in the queue."""
    return enter(PHONE, has_touch=True)


@pytest.fixture
def tablet(enter: Enter) -> Visitor:
    """A barista behind the machine."""
    return enter(TABLET)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what a failed test's visitors saw."""
    report = yield
    if report.failed and report.when == "call":
        visitors = [a for a in getattr(item, "funcargs", {}).values() if isinstance(a, Visitor)]
        report.sections += [(visitor.page.url, visitor.what_is_seen()) for visitor in visitors]
    return report
