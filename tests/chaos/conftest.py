"""A second system, which dies completely and comes back; with it, how orders came through that."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.outside import ASYNC, Detail, accepted, headers, new_order, place
from tests.support.system import System, eventually

SLOWLY = pytest.mark.timeout(400)
"""Most start a system, and a busy machine takes its time."""
MORE_SYSTEMS = ("public", "catastrophe")
CUSTOMERS = 8
ENOUGH = 40
DEADLINE_S = 90
"""Longer than the slowest restart: payments under way must not run into it."""
DEDICATED_MAX = 3


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that need one more system come last: idle ones would slow the others down."""

    def systems(item: pytest.Item) -> int:
        wanted = getattr(item, "fixturenames", ())
        return max((n for n, name in enumerate(MORE_SYSTEMS, 1) if name in wanted), default=0)

    items.sort(key=systems)
    for item in items:
        if not item.get_closest_marker("timeout"):
            item.add_marker(SLOWLY)


@dataclass
class Customer:
    """Somebody who orders, one order after the other, until the system is gone."""

    acknowledged: list[Detail] = field(default_factory=list)
    unanswered: list[tuple[dict[str, Any], str]] = field(default_factory=list)

    def order_until_it_dies(self, system: System) -> None:
        """Place orders, each with a key, half of them without waiting for the payment."""
        while not self.unanswered:
            order, key = new_order(), uuid4().hex
            prefer = ASYNC if len(self.acknowledged) % 2 else "wait=2"
            try:
                answer = system.http.post("/orders", json=order, headers=headers(key, prefer))
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code == httpx.codes.CREATED:
                self.acknowledged.append(answer.json())
            else:
                self.unanswered.append((order, key))


@dataclass
class Catastrophe:
    """What was known when every process was killed, and the system as it came back."""

    system: System
    customers: list[Customer]
    accepted: str
    unpaid: str
    slow: str

    @property
    def acknowledged(self) -> list[Detail]:
        return [order for customer in self.customers for order in customer.acknowledged]

    @property
    def unanswered(self) -> list[tuple[dict[str, Any], str]]:
        return [request for customer in self.customers for request in customer.unanswered]


@pytest.fixture(scope="session")
def catastrophe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catastrophe]:
    """kill -9 of everything under load; then a start on the same folder, now with dedicated orders.
    It ends as with Ctrl-C, and nothing may outlive that.
    """
    system = System(tmp_path_factory.mktemp("catastrophe") / "data", payment_deadline_s=DEADLINE_S)
    system.start()
    known = {
        "accepted": accepted(system),
        "unpaid": place(system, new_order(None))["order_id"],
        "slow": place(system, new_order("tok_slow_5000"), prefer=ASYNC)["order_id"],
    }
    customers = [Customer() for _ in range(CUSTOMERS)]
    with ThreadPoolExecutor(CUSTOMERS) as threads:
        running = [threads.submit(c.order_until_it_dies, system) for c in customers]
        eventually(lambda: sum(len(c.acknowledged) for c in customers) >= ENOUGH, "a rush hour")
        system.kill_everything()
        for customer in running:
            customer.result()
    survivors = eventually(lambda: ["none"] if not system.leftovers() else None, "all are dead")
    assert survivors == ["none"]
    seconds = system.start(
        order_isolation="dedicated", dedicated_max=DEDICATED_MAX, passivate_after_s=2
    )
    print(f"\nthe second start on the same folder was ready after {seconds:.0f} s")
    yield Catastrophe(system, customers, **known)
    audit = system.siren("verify")
    system.stop()
    eventually(lambda: not system.leftovers(), "nothing outlives a stop")
    assert audit.returncode == 0, audit.stdout
