"""Every page of the system: its address, and what is there once it has drawn itself."""

from dataclasses import dataclass

from tests.browser.visitor import Visitor


@dataclass(frozen=True)
class Sight:
    """A page; `drawn` is a selector of something that its script puts there last."""

    name: str
    address: str
    drawn: str

    def visit(self, visitor: Visitor, order_id: str) -> None:
        """Open the page, that of this order where it is about one, and wait until it is drawn."""
        visitor.page.goto(self.address.format(order_id=order_id))
        visitor.page.locator(self.drawn).first.wait_for()


SIGHTS = (
    Sight("order", "/", "[data-menu]"),
    Sight("my", "/my", "#orders > li"),
    Sight("one", "/my/{order_id}", "#store:not(:empty)"),
    Sight("board", "/board/gangnam", "[data-ticket]"),
    Sight("order-details", "/owner/order-details", "tbody tr"),
    Sight("payments", "/owner/payments", "tbody tr"),
    Sight("sign-in", "/sign-in", "#token"),
)
