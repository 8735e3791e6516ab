"""`make screenshots`: a fresh system at a lively hour, and a picture of each page.

On phone and desktop; in English by day and in Korean by night, so that both are looked at.
"""

import sqlite3
import tempfile
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.browser import chromium
from tests.browser.sights import SIGHTS, Sight
from tests.browser.visitor import PHONE, TABLET, Visitor
from tests.support.outside import new_order, post, reaches
from tests.support.system import System, eventually

FOLDER = Path(__file__).with_name("screenshots")
SIZES = {"phone": PHONE, "desktop": TABLET}
HOURS = {"day": ("en-US", "light"), "night": ("ko-KR", "dark")}
MINUTE = 60_000_000
THE_GUEST = "영욱"
WHO_LEAVES = "서연"

# Who waits at Gangnam, what for, since how many minutes, and how far it is.
QUEUE: tuple[tuple[str, tuple[tuple[str, int], ...], int, tuple[str, ...]], ...] = (
    ("하은", (("latte", 1), ("croissant", 1)), 11, ("start", "ready")),
    ("Sophie", (("cold-brew", 2),), 9, ("start", "ready")),
    ("지훈", (("americano", 4), ("bagel", 2)), 8, ("start",)),
    (THE_GUEST, (("americano", 2), ("bagel", 1)), 7, ("start",)),
    ("Mina", (("vanilla-latte", 1),), 6, ("start",)),
    (WHO_LEAVES, (("mocha", 1), ("cheesecake", 1)), 6, ()),
    ("Noah", (("espresso", 2),), 5, ()),
    ("민준", (("citron-tea", 1), ("americano", 1), ("bagel", 1)), 3, ()),
    ("Yuna", (("cappuccino", 2),), 1, ()),
)


def main() -> None:
    """Write the pictures, in place of those of before."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="siren-screenshots-") as folder:
        system = System(Path(folder) / "data")
        try:
            system.start()
            _paint(system)
        finally:
            system.stop()
    print(f"look at {FOLDER}")


def _paint(system: System) -> None:
    with sync_playwright() as playwright:
        path = chromium.find()
        browser = playwright.chromium.launch(executable_path=path, args=chromium.SWITCHES)
        order_id, state = _make_lively(browser, system)
        for sight, size, hour in product(SIGHTS, SIZES, HOURS):
            locale, scheme = HOURS[hour]
            options = {"locale": locale, "color_scheme": scheme, "storage_state": state}
            visitor = Visitor.enter(browser, system.url, SIZES[size], **options)
            _take(visitor, sight, order_id, FOLDER / f"{sight.name}-{size}-{hour}.png")
        browser.close()


def _take(visitor: Visitor, sight: Sight, order_id: str, picture: Path) -> None:
    sight.visit(visitor, order_id)
    # As tall as the page: what sticks to the screen's edge would lie across a longer picture.
    page = visitor.page
    size = page.viewport_size
    assert size
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": height})
    page.screenshot(path=picture, animations="disabled")
    visitor.leave()


def _make_lively(browser: Browser, system: System) -> tuple[str, Any]:
    """Fill the stores; return the guest's order, and what a browser keeps that has seen all of it.

    The guest has a cart too, and the board has seen somebody who left.
    """
    visitor = Visitor.enter(browser, system.url, PHONE)
    visitor.page.goto("/")
    for menu_id in ("americano", "americano", "bagel"):
        visitor.page.locator(f"[data-menu={menu_id}] button").last.click()
    guest = visitor.guest()
    _place(system, THE_GUEST, (("latte", 1),), 200, ("start", "ready", "complete"), guest)
    placed = {
        name: _place(system, name, items, age, steps, guest if name == THE_GUEST else "")
        for name, items, age, steps in QUEUE
    }
    for _ in range(5):
        _place(system, "Alex", (("latte", 1),), 2, (), store_id="pangyo")
    system.http.patch("/stores/jeju", json={"open": False}).raise_for_status()
    for menu_id in ("green-tea-latte", "croissant"):
        sold_out = {"sold_out": True}
        system.http.patch(f"/stores/gangnam/menu/{menu_id}", json=sold_out).raise_for_status()
    visitor.page.goto("/board/gangnam")
    visitor.page.locator(f"[data-ticket='{placed[WHO_LEAVES]}']").wait_for()
    post(system, f"/orders/{placed[WHO_LEAVES]}/cancel").raise_for_status()
    state = visitor.page.context.storage_state()
    visitor.leave()
    return placed[THE_GUEST], state


def _place(
    system: System,
    name: str,
    items: tuple[tuple[str, int], ...],
    age: int,
    steps: tuple[str, ...],
    customer: str = "",
    store_id: str = "gangnam",
) -> str:
    """Place an order as if it were some minutes ago, and bring it as far as `steps` say."""
    lines = [{"menu_id": menu_id, "quantity": quantity} for menu_id, quantity in items]
    order = new_order(items=lines, store_id=store_id)
    order["customer"] |= {"name": name} | ({"id": customer} if customer else {})
    order_id = str(post(system, "/orders", order).json()["order_id"])
    reaches(system, order_id, "ACCEPTED")
    for step in steps:
        post(system, f"/pickups/{order_id}/{step}").raise_for_status()
    eventually(lambda: _grow_older(system, order_id, age), "nobody waits eleven minutes for this")
    return order_id


def _grow_older(system: System, order_id: str, minutes: int) -> bool:
    change = """UPDATE tickets SET opened_at = opened_at - :age,
        estimated_ready_at = estimated_ready_at - :age WHERE order_id = :order_id"""
    age = {"age": minutes * MINUTE, "order_id": order_id}
    with closing(sqlite3.connect(system.data_dir / "stores.db", timeout=10)) as books, books:
        return books.execute(change, age).rowcount == 1


if __name__ == "__main__":
    main()
