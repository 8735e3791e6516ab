"""What a store sells at this moment, and whether it makes an order of it. Knows no database.

The client asks before it places or charges, the store before it opens a ticket: `refusal` decides
for both.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from actors.contracts.errors import Invalid, Rejected, SoldOut
from actors.contracts.values import Line


class Stocked(Protocol):
    """Something on the menu."""

    @property
    def sold_out(self) -> bool:
        """Whether the store has no more of it."""
        ...


def is_full(capacity: int | None, uncollected: int) -> bool:
    """Whether a store takes no more: `uncollected` tickets wait, are being made or are ready."""
    return capacity is not None and uncollected >= capacity


def refusal(items: Iterable[Stocked | None], *, is_open: bool, full: bool) -> str | None:
    """Return why a store does not make an order of these items, None where it makes it.

    The first of `store_closed`, `sold_out` and `store_full` that is true. An item is None where
    the store does not have it.
    """
    if not is_open:
        return "store_closed"
    if any(item is None or item.sold_out for item in items):
        return "sold_out"
    return "store_full" if full else None


class MenuItem(NamedTuple):
    """What an order line takes from the menu; `price` is in the store's minor unit."""

    name: str
    price: int
    sold_out: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """What a store sells at this moment, by menu id, and whether it takes another order."""

    store_id: str
    currency: str
    open: bool
    full: bool
    items: dict[str, MenuItem]

    def refusal(self, menu_ids: Iterable[str]) -> str | None:
        """Return why a ticket for these items would be refused now, None where it would not."""
        return refusal(map(self.items.get, menu_ids), is_open=self.open, full=self.full)

    def priced(self, wanted: Iterable[tuple[str, int]]) -> tuple[Line, ...]:
        """Freeze names and prices of (menu id, quantity).

        Raises `Invalid` for what is not on the menu, `Rejected` where a ticket would be refused.
        """
        lines: list[Line] = []
        for index, (menu_id, quantity) in enumerate(wanted):
            item = self.items.get(menu_id)
            if item is None:
                detail = f"{self.store_id} has no menu item {menu_id!r}."
                raise Invalid("unknown_menu_item", detail, f"/items/{index}/menu_id")
            lines.append(Line(menu_id, item.name, quantity, item.price))
        self._check(lines)
        return tuple(lines)

    def _check(self, lines: list[Line]) -> None:
        code = self.refusal(line.menu_id for line in lines)
        if code == "store_closed":
            raise Rejected(code, "The store is closed.")
        if code == "sold_out":
            gone = {line.menu_id: line.name for line in lines if self.items[line.menu_id].sold_out}
            raise SoldOut(gone, gone.values())
        if code is not None:
            raise Rejected(code, "The store takes no more orders at the moment.")
