"""A stopped process (SIGSTOP) neither answers nor dies: whoever asks it has it replaced."""

import time
from typing import Any
from uuid import uuid4

import pytest

from tests.outside import ASYNC, accepted, assert_agreed, headers, new_order, place, reaches, view
from tests.system import (
    ORDER_ACTOR,
    PAYMENT_ACTOR,
    PROJECTION_ACTOR,
    STORE_ACTOR,
    System,
    eventually,
)

pytestmark = pytest.mark.timeout(400)
REPLACED_S = 90.0
"""On an idle machine it takes 17 to 20 s."""


def take(system: System, order: dict[str, Any], key: str) -> None:
    """Send an order with its key until it is taken."""

    def taken() -> bool:
        return system.http.post("/orders", json=order, headers=headers(key, ASYNC)).is_success

    eventually(taken, "it is taken", REPLACED_S)


@pytest.mark.parametrize("title", [ORDER_ACTOR, PAYMENT_ACTOR, STORE_ACTOR])
def test_a_stopped_service_is_replaced_and_orders_settle_once(system: System, title: str) -> None:
    accepted(system)  # everybody knows everybody
    orders = [(new_order(), uuid4().hex) for _ in range(4)]
    with system.frozen(title):
        began = time.monotonic()
        for order, key in orders:
            take(system, order, key)
        ids = [place(system, order, key=key)["order_id"] for order, key in orders]
        for order_id in ids:
            reaches(system, order_id, "ACCEPTED", REPLACED_S)
        print(f"\nsettled {time.monotonic() - began:.1f} s after {title} had been stopped")
    for order_id in ids:
        books = assert_agreed(system, order_id)
        assert (len(books.charges), len(books.tickets)) == (1, 1)


def test_a_stopped_projection_is_replaced_and_catches_up(system: System) -> None:
    accepted(system)
    with system.frozen(PROJECTION_ACTOR):
        order_id = place(system)["order_id"]
        eventually(lambda: view(system, order_id), "the view has it", REPLACED_S)


@pytest.mark.parametrize("title", [ORDER_ACTOR, PAYMENT_ACTOR, STORE_ACTOR])
def test_a_service_that_goes_on_after_a_while_does_nothing_twice(
    system: System, title: str
) -> None:
    """Too short to be replaced: what it held in memory is still there when it goes on."""
    order, key = new_order(), uuid4().hex
    before = {process.pid for process in system.processes(title)}
    with system.frozen(title):
        for _ in range(2):
            system.http.post("/orders", json=order, headers=headers(key, "wait=1"))
    order_id = place(system, order, key=key)["order_id"]
    reaches(system, order_id, "ACCEPTED")
    books = assert_agreed(system, order_id)
    assert (len(books.charges), len(books.tickets)) == (1, 1)
    assert {process.pid for process in system.processes(title)} == before
