"""What is shown of an order."""

from datetime import timedelta

from actors.order.domain.detail import detail
from tests.support.orders import ACCEPTED_LIFE, NOON, ORDER_ID, PAID_LIFE, PRIVATE, TOTAL, at, given


def test_the_detail_has_the_amount_and_the_payment_id() -> None:
    """In the original, the view had no amount and never a payment id."""
    shown = detail(given(*PAID_LIFE), PRIVATE)
    assert (shown["total"], shown["currency"], shown["payment_id"]) == (TOTAL, "KRW", "pay-1")
    assert [item["amount"] for item in shown["items"]] == [9000, 3500]


def test_the_detail_has_every_field_of_the_contract() -> None:
    shown = detail(given(*ACCEPTED_LIFE), PRIVATE)
    assert shown == {
        "order_id": ORDER_ID,
        "version": 4,
        "store_id": "gangnam",
        "customer": {"id": "c-17", "name": "영욱", "tel": "010-1234-5678"},
        "items": [
            {
                "menu_id": "americano",
                "name": "Americano",
                "quantity": 2,
                "unit_price": 4500,
                "amount": 9000,
            },
            {
                "menu_id": "bagel",
                "name": "Bagel",
                "quantity": 1,
                "unit_price": 3500,
                "amount": 3500,
            },
        ],
        "total": 12500,
        "currency": "KRW",
        "order_status": "ACCEPTED",
        "payment_status": "APPROVED",
        "pickup_status": "ACCEPTED",
        "payment_id": "pay-1",
        "pickup_number": "A-042",
        "estimated_ready_at": NOON + timedelta(minutes=7),
        "cancel_reason": None,
        "placed_at": at(1),
        "paid_at": at(3),
        "accepted_at": at(4),
        "ready_at": None,
        "picked_up_at": None,
        "canceled_at": None,
    }
