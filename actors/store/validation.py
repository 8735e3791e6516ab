"""What may be said of a store and its menu; all raise `Invalid` with the field's pointer."""

from actors.contracts.limits import MAX_CAPACITY, MAX_PRICE
from actors.contracts.numbers import check_integer
from actors.contracts.texts import invalid


def check_capacity(capacity: object) -> None:
    """Refuse a number of tickets that no store could have at once; None: unlimited."""
    if capacity is not None:
        check_integer(capacity, "/capacity", 0, MAX_CAPACITY)


def check_price(price: object) -> None:
    """Refuse what a menu item cannot cost; None: it stays as it is."""
    if price is not None:
        check_integer(price, "/price", 1, MAX_PRICE)


def check_switch(value: object, pointer: str) -> None:
    """Refuse what is neither true nor false; None: it stays as it is."""
    if value is not None and not isinstance(value, bool):
        raise invalid("Must be true or false", pointer)
