"""One sample at least of every kind of error that travels between actors."""

from actors.contracts.errors import (
    AlreadyPlaced,
    Conflict,
    Damaged,
    Invalid,
    NotFound,
    PriceChanged,
    Rejected,
    SirenError,
    SoldOut,
    Unavailable,
    UnknownEvent,
)

ERRORS: list[SirenError] = [
    Rejected("sold_out", "The bagel is sold out."),
    PriceChanged(14_000),
    SoldOut(("bagel",), ("Bagel",)),
    Invalid("unknown_store", "There is no such store.", "/store_id"),
    Invalid("unknown_menu_item", "There is no such menu item.", "/items/0/menu_id"),
    Invalid("invalid_cursor", "This cursor was not made by this list."),
    NotFound("order_not_found", "There is no order with this id."),
    AlreadyPlaced("o-1"),
    Conflict("stale_version", "expected version 3, found 4"),
    Unavailable("no_reply", "The service did not answer in time."),
    Damaged("database_damaged", "journal.db: database disk image is malformed"),
    UnknownEvent("LoyaltyGranted", 1),
]


def kinds_of(error: type[SirenError]) -> set[type[SirenError]]:
    """Return all classes below one, at any depth."""
    return {kind for child in error.__subclasses__() for kind in {child, *kinds_of(child)}}
