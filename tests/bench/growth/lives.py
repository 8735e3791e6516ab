"""What happened to the orders of a history: seconds after placement, and what was asked then."""

from datetime import UTC, datetime, timedelta

from actors.contracts.values import Line, PrivateData
from actors.order.domain import commands as cmd
from actors.store.demo_stores import CURRENCY, menu_rows, store_rows

# Every time of an order has this fraction of a second, so that whole seconds shift all of them.
BASE = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
PAY_WITHIN_S = 900
LIVE_FOR_S = 6 * 3600
TOKEN = "tok_approve"

ORDER_ID, PAYMENT_ID, NUMBER, HASH = "@order_id@", "@payment_id@", "@number@", "@hash@"
CUSTOMER, NAME, TEL = "@customer@", "@name@", "@tel@"
A_TEL = "010-0000-0000"  # while it lives: no order is placed with a stencil of one
COMMANDS = ("", "@place@", "@first@", "@second@", "@third@")
"""Ids of the commands; "" is that of outcomes and deadlines. What is in @ differs by order."""
PLACE, FIRST, SECOND, THIRD = COMMANDS[1:]

Life = tuple[tuple[int, cmd.Command], ...]


def picked_up(store_id: str) -> Life:
    """Paid, made and handed over within five minutes."""
    return (
        *_accepted(store_id),
        (60, cmd.StartPreparation(FIRST)),
        (180, cmd.MarkReady(SECOND)),
        (300, cmd.CompletePickup(THIRD)),
    )


def refunded(store_id: str) -> Life:
    """Cancelled by the customer after the store had accepted."""
    return (
        *_accepted(store_id),
        (40, cmd.CancelOrder(FIRST, "customer_request")),
        (41, cmd.RecordTicketCanceled("")),
        (42, cmd.RecordPaymentCanceled("", PAYMENT_ID)),
    )


def declined(store_id: str) -> Life:
    """Declined, not paid again, and cancelled by its deadline."""
    return (
        (0, _place(store_id, pay=True)),
        (1, cmd.RecordDecline("", 1, PAYMENT_ID)),
        (PAY_WITHIN_S, cmd.ExpirePayment("")),
    )


def waiting(store_id: str) -> Life:
    """Not paid yet, with hours left to do so."""
    return ((0, _place(store_id, pay=False, within_s=LIVE_FOR_S)),)


def charging(store_id: str) -> Life:
    """Its charge was journalled, and nobody has asked for it yet."""
    return ((0, _place(store_id, pay=True, within_s=LIVE_FOR_S)),)


def at(seconds: int) -> datetime:
    """Return the moment some seconds after placement."""
    return BASE + timedelta(seconds=seconds)


def _accepted(store_id: str) -> Life:
    wait_s = next(row["prepare_s"] for row in store_rows() if row["store_id"] == store_id)
    return (
        (0, _place(store_id, pay=True)),
        (1, cmd.RecordApproval("", 1, PAYMENT_ID)),
        (2, cmd.RecordTicket("", NUMBER, at(2 + wait_s))),
    )


def _place(store_id: str, *, pay: bool, within_s: int = PAY_WITHIN_S) -> cmd.PlaceOrder:
    first, second = [row for row in menu_rows() if row["store_id"] == store_id][:2]
    return cmd.PlaceOrder(
        id=PLACE,
        customer_id=CUSTOMER,
        store_id=store_id,
        lines=(
            Line(first["menu_id"], first["name"], 2, first["price"]),
            Line(second["menu_id"], second["name"], 1, second["price"]),
        ),
        currency=CURRENCY,
        body_hash=HASH,
        payment_due=at(within_s),
        pay=pay,
        private=PrivateData(NAME, A_TEL, TOKEN if pay else None),
    )
