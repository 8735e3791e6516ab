"""What stands between customers and orders, killed and stopped; they go on all the while.

HAProxy, its manager, a replica of the gateway, Serve's controller. For how long somebody had to
wait is printed; `siren chaos` measures it.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx
import psutil
import pytest

from tests.support.outside import accepted, headers, new_order
from tests.support.system import GATEWAY, HAPROXY_MANAGER, SERVE_CONTROLLER, System, eventually

pytestmark = pytest.mark.timeout(300)

PATIENCE_S = 0.5
"""How long a customer waits before they ask again."""


class Customer:
    """Somebody who asks again and again, each time with the patience of half a second."""

    def __init__(self, ask: Callable[[httpx.Client], httpx.Response], timeout: float) -> None:
        self.answers = 0
        self.longest = 0.0
        self.strange: set[str] = set()
        self._ask = ask
        self._timeout = timeout

    def go_on(self, url: str, over: threading.Event) -> None:
        last = time.monotonic()
        while not over.is_set():
            with httpx.Client(base_url=url, timeout=self._timeout) as client:
                try:
                    answer = self._ask(client)
                except httpx.HTTPError:
                    over.wait(0.05)
                    continue
            if answer.is_success:
                self.answers += 1
                self.longest = max(self.longest, time.monotonic() - last)
                last = time.monotonic()
            elif answer.headers["content-type"] != "application/problem+json":
                self.strange.add(f"{answer.status_code} {answer.text}")


@contextmanager
def _customers(system: System, order_id: str) -> Iterator[tuple[Customer, Customer]]:
    """Somebody who looks at an order and somebody who places some, until the block ends."""
    placing: list[tuple[str, dict[str, object]]] = [(uuid4().hex, new_order())]

    def place(client: httpx.Client) -> httpx.Response:
        key, order = placing[-1]
        answer = client.post("/orders", json=order, headers=headers(key))
        if answer.is_success:
            placing.append((uuid4().hex, new_order()))
        return answer

    reader = Customer(lambda client: client.get(f"/order-details/{order_id}"), PATIENCE_S)
    buyer = Customer(place, 4 * PATIENCE_S)
    over = threading.Event()
    threads = [
        threading.Thread(target=customer.go_on, args=(system.url, over))
        for customer in (reader, buyer)
    ]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: reader.answers and buyer.answers, "both are served")
        yield reader, buyer
        answered = buyer.answers
        eventually(lambda: buyer.answers > answered, "orders are placed again")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    print(f"longest without an answer: {reader.longest:.2f} s, order {buyer.longest:.2f} s")


def _victims(system: System, who: str) -> list[psutil.Process]:
    if who == "haproxy":
        return system.haproxies()
    return system.processes(who)[:1]


@pytest.mark.parametrize(
    ("who", "blow"),
    [
        ("haproxy", signal.SIGKILL),
        ("haproxy", signal.SIGSTOP),
        (HAPROXY_MANAGER, signal.SIGKILL),
        (GATEWAY, signal.SIGKILL),
        (GATEWAY, signal.SIGSTOP),
        (SERVE_CONTROLLER, signal.SIGKILL),
        (SERVE_CONTROLLER, signal.SIGTERM),
    ],
)
def test_customers_go_on_whatever_stands_before_the_orders_is_hurt(
    system: System, who: str, blow: signal.Signals
) -> None:
    order_id = accepted(system)
    with _customers(system, order_id) as (reader, buyer):
        victims = eventually(lambda: _victims(system, who), f"{who} runs")
        for victim in victims:
            os.kill(victim.pid, blow)
        eventually(lambda: _whole_without(system, who, victims), f"{who} is replaced", 90)
    assert reader.strange | buyer.strange == set()


def _whole_without(system: System, who: str, victims: list[psutil.Process]) -> bool:
    """Whether others have taken the place of the victims."""
    hurt = {victim.pid for victim in victims}
    living = system.haproxies() if who == "haproxy" else system.processes(who)
    replaced = {process.pid for process in living} - hurt
    return len(replaced) >= (2 if who == GATEWAY else 1)
