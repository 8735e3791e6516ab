"""Whether a store makes an order: decided once, whoever asks and for whatever reason."""

from datetime import UTC, datetime
from itertools import product

import pytest

from actors.contracts.errors import Invalid, Rejected, SoldOut
from actors.contracts.messages import TicketReply, TicketRequest
from actors.contracts.values import Line
from actors.store.offer import MenuItem, Offer, refusal
from actors.store.tickets import Books, MenuRow, StoreRow, decide

NOON = datetime(2026, 3, 1, 3, tzinfo=UTC)
WANTED = (("latte", 2), ("bagel", 1))
LINES = (Line("latte", "Latte", 2, 5000), Line("bagel", "Bagel", 1, 3500))
STATES = list(product([False, True], repeat=3))
every_state = pytest.mark.parametrize(("closed", "sold_out", "full"), STATES)


def first_of(*, closed: bool, sold_out: bool, full: bool) -> str | None:
    if closed:
        return "store_closed"
    if sold_out:
        return "sold_out"
    return "store_full" if full else None


def offer(*, closed: bool = False, sold_out: bool = False, full: bool = False) -> Offer:
    items = {
        "latte": MenuItem("Latte", 5000, sold_out=False),
        "bagel": MenuItem("Bagel", 3500, sold_out=sold_out),
    }
    return Offer("gangnam", "KRW", not closed, full, items)


def books(*, closed: bool, sold_out: bool, full: bool) -> Books:
    capacity = 1 if full else None
    store = StoreRow("gangnam", "Asia/Seoul", not closed, capacity, 45, 1, 0, "2026-03-01", 7)
    rows = (
        MenuRow("gangnam", "latte", 5000, sold_out=False),
        MenuRow("gangnam", "bagel", 3500, sold_out=sold_out),
    )
    return Books(stores={"gangnam": store}, menu={("gangnam", row.menu_id): row for row in rows})


@every_state
def test_a_closed_store_comes_before_what_is_sold_out_and_that_before_a_full_one(
    *, closed: bool, sold_out: bool, full: bool
) -> None:
    items = [MenuItem("Latte", 5000, sold_out=False), MenuItem("Bagel", 3500, sold_out=sold_out)]
    expected = first_of(closed=closed, sold_out=sold_out, full=full)
    assert refusal(items, is_open=not closed, full=full) == expected


@every_state
def test_who_places_who_pays_and_the_store_itself_are_told_the_same(
    *, closed: bool, sold_out: bool, full: bool
) -> None:
    expected = first_of(closed=closed, sold_out=sold_out, full=full)
    current = offer(closed=closed, sold_out=sold_out, full=full)
    request = TicketRequest("o-1", "gangnam", LINES, "Ada")
    reply = decide(books(closed=closed, sold_out=sold_out, full=full), request, NOON)

    assert current.refusal(["latte", "bagel"]) == expected
    assert isinstance(reply, TicketReply)
    assert reply.reason == expected
    if expected is None:
        assert current.priced(WANTED) == LINES
    else:
        with pytest.raises(Rejected) as refused:
            current.priced(WANTED)
        assert refused.value.code == expected


def test_an_item_that_the_store_does_not_have_counts_as_sold_out() -> None:
    """It may have gone from the menu since the order was placed."""
    assert refusal([None], is_open=True, full=False) == "sold_out"
    assert offer().refusal(["tangerine-ade"]) == "sold_out"


def test_an_order_names_each_item_that_is_sold_out_once() -> None:
    with pytest.raises(SoldOut) as refused:
        offer(sold_out=True).priced((*WANTED, ("bagel", 3)))
    assert (refused.value.menu_ids, refused.value.detail) == (("bagel",), "Bagel is sold out.")


def test_an_order_for_what_was_never_on_the_menu_is_not_valid() -> None:
    with pytest.raises(Invalid) as refused:
        offer(closed=True).priced((("latte", 1), ("absinthe", 1)))
    assert (refused.value.code, refused.value.pointer) == ("unknown_menu_item", "/items/1/menu_id")
