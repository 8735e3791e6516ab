"""A stopped process (SIGSTOP) neither answers nor dies: `siren up` has it replaced."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import psutil
import pytest

from cluster.running.processes import title_of
from tests.support.outside import (
    ASYNC,
    accepted,
    assert_agreed,
    headers,
    new_order,
    place,
    reaches,
    view,
)
from tests.support.system import (
    ORDER_ACTOR,
    PAYMENT_ACTOR,
    PROJECTION_ACTOR,
    STORE_ACTOR,
    System,
    eventually,
)

pytestmark = pytest.mark.timeout(400)
REPLACED_S = 90.0


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


@pytest.mark.parametrize(
    ("service", "title"),
    [
        ("order-host:0", ORDER_ACTOR),
        ("payment", PAYMENT_ACTOR),
        ("store", STORE_ACTOR),
        ("projection", PROJECTION_ACTOR),
    ],
)
def test_a_service_whose_replacement_is_stopped_in_its_start_is_replaced_again(
    system: System, service: str, title: str
) -> None:
    accepted(system)
    starting = f"ray::{service}:{title.removeprefix('ray::')}.__init__"
    stopped: list[psutil.Process] = []

    def stop_its_start() -> bool:
        """Stop the process in which it starts; kill it where it was faster."""
        for process in system.processes():
            name = title_of(process)
            if name.startswith(starting):
                process.suspend()
                if title_of(process).startswith(starting):
                    stopped.append(process)
                    return True
            elif name.startswith(title):
                process.kill()
        return False

    eventually(stop_its_start, "it is stopped in its start", every=0.002)
    order_id = accepted(system)
    eventually(lambda: view(system, order_id), "the view has it", REPLACED_S)
    assert not stopped[0].is_running()
    books = assert_agreed(system, order_id)
    assert (len(books.charges), len(books.tickets)) == (1, 1)


@pytest.mark.parametrize("titles", [(ORDER_ACTOR,), (PAYMENT_ACTOR, STORE_ACTOR)])
def test_services_that_go_on_after_a_while_do_nothing_twice(
    system: System, titles: tuple[str, ...]
) -> None:
    """Whether they were replaced by then or not: what they had begun is done once."""
    order, key = new_order(), uuid4().hex
    with frozen(system, titles):
        system.http.post("/orders", json=order, headers=headers(key, "wait=1"))
    order_id = place(system, order, key=key)["order_id"]
    reaches(system, order_id, "ACCEPTED")
    books = assert_agreed(system, order_id)
    assert (len(books.charges), len(books.tickets)) == (1, 1)
