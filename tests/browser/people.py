"""What a customer does on the order pages, and a barista on the board, in words."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.visitor import SEEN_MS, Visitor
from tests.support.outside import new_order, place
from tests.support.system import System

# How a ticket is marked that was promised in so many minutes.
AGES = {"fresh": 30, "waiting": 1, "late": -1}
ORDER_ADDRESS = re.compile(r"/my/([0-9a-f]{35})$")
CUP: dict[str, int] = {"americano": 1}


@dataclass(frozen=True)
class Customer:
    """A guest with a phone, on the pages at `/` and `/my`."""

    visitor: Visitor

    @property
    def page(self) -> Page:
        return self.visitor.page

    def choose(self, items: dict[str, int] = CUP, store_id: str = "gangnam") -> None:
        """Open the order page and put things into the cart."""
        self.page.goto("/")
        store = self.page.locator(f"[data-store={store_id}] input")
        if not store.is_checked():
            with self.page.expect_response(f"**/stores/{store_id}/menu"):
                store.check()
        for menu_id, quantity in items.items():
            for _ in range(quantity):
                self.more(menu_id).click()

    def more(self, menu_id: str) -> Locator:
        """Return the button that adds one of an item."""
        return self.page.locator(f"[data-menu={menu_id}] button").last

    def waits_for_news(self) -> None:
        """Let the time pass after which the page asks the stores again; needs `page.clock`."""
        self.page.clock.fast_forward(5_000)

    def introduce(self, name: str = "영욱", tel: str = "010-1234-5678") -> None:
        """Fill in who will be called."""
        self.page.locator("#name").fill(name)
        self.page.locator("#tel").fill(tel)

    def pay_with(self, token: str | None) -> None:
        """Choose one of the simulated cards, or to pay later."""
        if token is None:
            self.page.locator("input[name=when][value=later]").check()
        else:
            self.page.locator("input[name=when][value=now]").check()
            self.page.locator("#card").select_option(token)

    def place(self) -> str:
        """Place the order, and return its id once the page follows it."""
        self.page.locator("#place").click()
        return self.follows()

    def follows(self, within_ms: float = SEEN_MS) -> str:
        """Return the id of the order that the page follows now."""
        self.page.wait_for_url(ORDER_ADDRESS, timeout=within_ms)
        found = ORDER_ADDRESS.search(self.page.url)
        assert found
        return found[1]

    def order(
        self,
        items: dict[str, int] = CUP,
        store_id: str = "gangnam",
        *,
        name: str = "영욱",
        token: str | None = "tok_approve",
    ) -> str:
        """Order from the beginning, as a new customer would; return the order's id."""
        self.choose(items, store_id)
        self.introduce(name)
        self.pay_with(token)
        return self.place()

    def has_ordered(self, system: System, token: str | None = "tok_approve", **changes: Any) -> str:
        """Have an order that was placed without the order page, and return its id."""
        self.page.goto("/")
        order = new_order(token, **changes)
        order["customer"]["id"] = self.visitor.guest()
        return str(place(system, order)["order_id"])

    def sees(self, status: str, within_ms: float = SEEN_MS) -> None:
        """Wait until the order's page shows this status."""
        expect(self.page.locator("#call")).to_have_attribute(
            "data-status", status, timeout=within_ms
        )

    def step(self, name: str) -> Locator:
        """Return a step of the progress line."""
        return self.page.locator(f"[data-step={name}]")

    def pays(self, token: str) -> None:
        """Pay on the order's page."""
        self.page.locator("#card").select_option(token)
        self.page.locator("#pay-button").click()

    def cancels(self) -> None:
        """Cancel on the order's page, and mean it."""
        self.page.locator("#cancel").click()
        self.page.locator("#cancel-dialog button[value=cancel]").click()

    @property
    def number(self) -> str:
        """The number that will be called."""
        number = self.page.locator("#number")
        expect(number).not_to_be_empty()
        return number.inner_text()


@dataclass(frozen=True)
class Barista:
    """Whoever stands behind a store's board."""

    visitor: Visitor

    @property
    def page(self) -> Page:
        return self.visitor.page

    def watch(self, store_id: str = "gangnam") -> None:
        """Open the board of a store."""
        self.page.goto(f"/board/{store_id}")
        expect(self.page.locator("[data-column=new] .count")).not_to_be_empty()

    def ticket(self, order_id: str, column: str | None = None) -> Locator:
        """Return an order's ticket, in this column if one is given."""
        ticket = f"[data-ticket='{order_id}']"
        return self.page.locator(ticket if column is None else f"[data-column={column}] {ticket}")

    def moves(self, order_id: str, column: str) -> None:
        """Press the large button of a ticket in this column."""
        self.ticket(order_id, column).locator("button.primary").click()

    def column(self, name: str) -> Locator:
        """Return a column: new, preparing or ready."""
        return self.page.locator(f"[data-column={name}]")

    def tickets(self, column: str) -> list[str | None]:
        """Return the ids of the orders in a column, from its top."""
        tickets = self.column(column).locator("[data-ticket]").all()
        return [ticket.get_attribute("data-ticket") for ticket in tickets]

    def has_looked(self) -> None:
        """Wait until the board has asked for its tickets, and was answered, once more."""
        with self.page.expect_response(lambda answer: "/pickups?" in answer.url):
            pass

    def rejects(self, order_id: str, reason: str | None) -> None:
        """Give an order up for a reason in one's own words; without one, think better of it."""
        self.ticket(order_id).locator("[data-button=reject]").click()
        dialog = self.page.locator("#reject-dialog")
        if reason is not None:
            dialog.locator("#reason-text").fill(reason)
        dialog.locator(f"button[value={'keep' if reason is None else 'reject'}]").click()
        expect(dialog).to_be_hidden()

    def switch(self, name: str, *, on: bool) -> None:
        """Turn a switch of the counter's settings, and wait until it is saved."""
        with self._settings():
            self.page.get_by_role("switch", name=name, exact=True).set_checked(on)

    def limits(self, tickets: str) -> None:
        """Set how many tickets the store has at once; "" is no limit."""
        with self._settings():
            self.page.locator("#capacity").fill(tickets)
            self.page.locator("#capacity-form button").click()

    @contextmanager
    def _settings(self) -> Iterator[None]:
        """Open the counter's settings, and wait until what is changed there is saved."""
        self.page.locator("#settings").click()
        with self.page.expect_response(lambda answer: answer.request.method == "PATCH") as saved:
            yield
        assert saved.value.ok
        self.page.keyboard.press("Escape")

    @contextmanager
    def sold_out(self, name: str) -> Iterator[None]:
        """Have an item sold out for as long as the block lasts."""
        self.switch(f"{name}: sold out", on=True)
        try:
            yield
        finally:
            self.switch(f"{name}: sold out", on=False)


def promise(system: System, order_id: str, minutes: float) -> None:
    """Have the ticket of an order promised to be ready in so many minutes from now."""
    ready_at = datetime.now(UTC) + timedelta(minutes=minutes)
    change_ticket(system, order_id, "estimated_ready_at", ready_at)


def change_ticket(system: System, order_id: str, column: str, time: datetime) -> None:
    """Write a time of a ticket into the store's books."""
    change = f"UPDATE tickets SET {column} = ? WHERE order_id = ?"
    since_1970 = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    with closing(sqlite3.connect(system.data_dir / "stores.db", timeout=10)) as books, books:
        books.execute(change, (since_1970, order_id))
