"""An order as its customer asks for it: what it must be, and what tells a repeat of it."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from actors.contracts.errors import Invalid
from actors.contracts.limits import MAX_ID
from actors.contracts.texts import check_visible_ascii, invalid
from actors.order.domain.validation import (
    check_customer,
    check_expected_total,
    check_items,
    check_payment,
)
from actors.runtime.message_codec import to_json


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to place; `items` are (menu id, quantity). Prices come from the store's menu.

    With a `token` the card is charged at once; without, the order waits to be paid. With an
    `expected_total`, in the minor unit, it is placed only if it costs exactly that.
    """

    customer_id: str
    name: str = field(repr=False)
    tel: str = field(repr=False)
    store_id: str
    items: tuple[tuple[str, int], ...]
    token: str | None = field(default=None, repr=False)
    expected_total: int | None = None


class _Body(msgspec.Struct, omit_defaults=True):
    """What tells a repeat from another request under its key.

    Its JSON is hashed, and the hash is kept for ever: what is added to it needs a default, so that
    a request without it stays the same.
    """

    customer_id: str
    name: str
    tel: str
    store_id: str
    items: tuple[tuple[str, int], ...]
    token: str | None
    expected_total: int | None = None


def check_new_order(order: NewOrder) -> None:
    """Raise `Invalid`, naming the field, for what cannot be priced, sent or placed."""
    check_customer(order.customer_id, order.name, order.tel)
    check_visible_ascii(order.store_id, "/store_id", MAX_ID)
    _check_shape(order.items)
    check_items(order.items)
    check_expected_total(order.expected_total)
    if order.token is not None:
        check_payment(order.token)


def body_of(order: NewOrder) -> bytes:
    """Return what is hashed of an order; raises `Invalid` for what no order can have been."""
    body = _Body(
        order.customer_id,
        order.name,
        order.tel,
        order.store_id,
        order.items,
        order.token,
        order.expected_total,
    )
    try:
        return to_json(body)
    except (UnicodeEncodeError, OverflowError, TypeError) as error:
        detail = "This key was used for a different order."
        raise Invalid("idempotency_mismatch", detail) from error


def _check_shape(items: Any) -> None:
    if not isinstance(items, (tuple, list)):
        raise invalid("Must be a list", "/items")
    for index, item in enumerate(items):
        if not isinstance(item, (tuple, list)) or len(item) != 2:  # noqa: PLR2004
            raise invalid("Must be a menu id and a quantity", f"/items/{index}")
