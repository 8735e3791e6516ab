"""What every command must be, whatever way it came: `check` before it is decided.

Pointers are those of the HTTP contract's bodies.
"""

from collections.abc import Callable, Sequence
from typing import Any

from actors.contracts.limits import (
    MAX_COMMAND_ID,
    MAX_ID,
    MAX_LINES,
    MAX_NAME,
    MAX_QUANTITY,
    MAX_TOKEN,
    MAX_TOTAL,
)
from actors.contracts.numbers import check_integer, is_integer
from actors.contracts.texts import (
    check_tel,
    check_text,
    check_visible_ascii,
    invalid,
    is_visible_ascii,
)
from actors.order.domain import commands as cmd
from actors.order.domain.reasons import OF_BARISTAS, OF_CUSTOMERS, OF_OWNERS, check_reason


def check(command: cmd.Command) -> None:
    """Raise `Invalid`, naming the field, for a command that can never be carried out."""
    rule = _RULES.get(type(command))
    if rule is not None:
        if not isinstance(command.id, str) or not 1 <= len(command.id) <= MAX_COMMAND_ID:
            raise invalid(f"Must be a text of 1 to {MAX_COMMAND_ID} characters", "/id")
        rule(command)


def check_customer(customer_id: object, name: object, tel: object) -> None:
    """Refuse a customer who has no id, name and phone number."""
    check_text(customer_id, "/customer/id", MAX_ID)
    check_text(name, "/customer/name", MAX_NAME)
    check_tel(tel, "/customer/tel")


def check_items(items: Sequence[tuple[object, object]]) -> None:
    """Refuse an order that has not 1 to 50 lines of 1 to 99 pieces; `items` are id and quantity."""
    _check_count(len(items))
    for index, (menu_id, quantity) in enumerate(items):
        _check_item(index, menu_id, quantity)


def check_payment(token: object) -> None:
    """Refuse a card token that cannot be one."""
    check_visible_ascii(token, "/payment/token", MAX_TOKEN)


def check_expected_total(total: object) -> None:
    """Refuse a total that is no amount; None: no total is expected."""
    if total is not None:
        check_integer(total, "/expected_total", 0, MAX_TOTAL)


def _place(command: cmd.PlaceOrder) -> None:
    private = command.private
    check_customer(command.customer_id, private.name, private.tel)
    check_visible_ascii(command.store_id, "/store_id", MAX_ID)
    _check_count(len(command.lines))
    check_expected_total(command.expected_total)
    if command.pay:
        check_payment(private.payment_token)
    total = 0
    for index, line in enumerate(command.lines):
        _check_item(index, line.menu_id, line.quantity)
        if not is_integer(line.unit_price, 0, MAX_TOTAL):
            check_integer(line.unit_price, f"/items/{index}/unit_price", 0, MAX_TOTAL)
        total += line.quantity * line.unit_price
    if total > MAX_TOTAL:
        raise invalid(f"The total must not be more than {MAX_TOTAL}", "/items")


def _check_count(lines: int) -> None:
    if not 1 <= lines <= MAX_LINES:
        raise invalid(f"Must have 1 to {MAX_LINES} lines", "/items")


def _check_item(index: int, menu_id: object, quantity: object) -> None:
    # Every order comes by here: pointers are made for what is wrong alone.
    if is_visible_ascii(menu_id, MAX_ID) and is_integer(quantity, 1, MAX_QUANTITY):
        return
    check_visible_ascii(menu_id, f"/items/{index}/menu_id", MAX_ID)
    check_integer(quantity, f"/items/{index}/quantity", 1, MAX_QUANTITY)


def _pay(command: cmd.PayOrder) -> None:
    check_visible_ascii(command.token, "/token", MAX_TOKEN)


def _cancel(command: cmd.CancelOrder) -> None:
    own = {"customer": OF_CUSTOMERS, "owner": OF_OWNERS}.get(command.by)
    if own is None:
        raise invalid("Must be customer or owner", "/by")
    check_reason(command.reason, own)


def _reject(command: cmd.RejectOrder) -> None:
    check_reason(command.reason, OF_BARISTAS)


def _nothing_else(_command: cmd.Command) -> None:
    """Pass: the id is all there is."""


# What the system asks itself, and what payment or store answered, is not looked at.
_RULES: dict[type, Callable[[Any], None]] = {
    cmd.PlaceOrder: _place,
    cmd.RepeatPlacement: _nothing_else,
    cmd.PayOrder: _pay,
    cmd.CancelOrder: _cancel,
    cmd.RejectOrder: _reject,
    cmd.StartPreparation: _nothing_else,
    cmd.MarkReady: _nothing_else,
    cmd.CompletePickup: _nothing_else,
    cmd.EraseCustomer: _nothing_else,
}
