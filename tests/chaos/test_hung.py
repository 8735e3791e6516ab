"""A stopped process (SIGSTOP) neither answers nor dies: whoever asks it has it replaced."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
"""On an idle machine one takes 17 to 20 s. Payment and store are missed one after the other."""


def take(system: System, order: dict[str, Any], key: str) -> None:
    """Send an order with its key until it is taken."""

    def taken() -> bool:
        return system.http.post("/orders", json=order, headers=headers(key, ASYNC)).is_success

    eventually(taken, "it is taken", REPLACED_S)


@contextmanager
def frozen(system: System, titles: tuple[str, ...]) -> Iterator[None]:
    """Stop the processes of several titles."""
    with ExitStack() as stack:
        for title in titles:
            stack.enter_context(system.frozen(title))
        yield


@pytest.mark.parametrize("titles", [(ORDER_ACTOR,), (PAYMENT_ACTOR, STORE_ACTOR, PROJECTION_ACTOR)])
def test_stopped_services_are_replaced_and_orders_settle_once(
    system: System, titles: tuple[str, ...]
) -> None:
    accepted(system)  # everybody knows everybody
    orders = [(new_order(), uuid4().hex) for _ in range(4)]
    with frozen(system, titles):
        began = time.monotonic()
        for order, key in orders:
            take(system, order, key)
        ids = [place(system, order, key=key)["order_id"] for order, key in orders]
        for order_id in ids:
            reaches(system, order_id, "ACCEPTED", REPLACED_S)
        eventually(lambda: view(system, ids[-1]), "the view has it", REPLACED_S)
        print(f"\nsettled {time.monotonic() - began:.1f} s after the stop of {titles}")
    for order_id in ids:
        books = assert_agreed(system, order_id)
        assert (len(books.charges), len(books.tickets)) == (1, 1)


@pytest.mark.parametrize("titles", [(ORDER_ACTOR,), (PAYMENT_ACTOR, STORE_ACTOR)])
def test_services_that_go_on_after_a_while_do_nothing_twice(
    system: System, titles: tuple[str, ...]
) -> None:
    """Too short to be replaced: what they held in memory is still there when they go on."""
    order, key = new_order(), uuid4().hex
    with frozen(system, titles):
        system.http.post("/orders", json=order, headers=headers(key, "wait=1"))
    order_id = place(system, order, key=key)["order_id"]
    reaches(system, order_id, "ACCEPTED")
    books = assert_agreed(system, order_id)
    assert (len(books.charges), len(books.tickets)) == (1, 1)
