"""`make chaos`: kill -9 of everything in turn while customers order and read, then an audit.

It prints how long orders and order details were unanswered, and what was killed how often. Nothing
passes or fails on time; an order that is lost, doubled or not at its right end does fail.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
from rich.console import Console
from rich.table import Table

from tests.support.outside import AGAIN, assert_agreed, headers, new_order, orders_of, reaches
from tests.support.system import (
    GATEWAY,
    HAPROXY_MANAGER,
    ORDER_ACTOR,
    PAYMENT_ACTOR,
    PROJECTION_ACTOR,
    SERVE_CONTROLLER,
    STORE_ACTOR,
    System,
    eventually,
)

HAPROXY = "HAProxy"
VICTIMS = {
    "order host": ORDER_ACTOR,
    "payment": PAYMENT_ACTOR,
    "store": STORE_ACTOR,
    "projection": PROJECTION_ACTOR,
    "a gateway replica": GATEWAY,
    HAPROXY: "",
    "HAProxy's manager": HAPROXY_MANAGER,
    "Serve's controller": SERVE_CONTROLLER,
}
ORDERS, DETAILS = "orders", "order details"
SECONDS = 120.0
CUSTOMERS, READERS = 4, 2
BETWEEN_S = (2.0, 6.0)
"""From one kill to the next: some victims are not back when the next one dies."""
RETRY_S = 0.5
PATIENCE_S = 5.0
TOKENS = ("tok_approve", "tok_approve", "tok_approve", "tok_decline", "tok_flaky", "tok_slow_300")
ENDS = {"tok_decline": "PLACED"}

console = Console(highlight=False, width=100)


class Wait(NamedTuple):
    """From the first try to the answer: seconds, tries, and what had been killed last."""

    seconds: float
    tries: int
    killed: str


@dataclass
class Storm:
    """What the clients saw, by what they asked; `placed`: customer and right end of each order."""

    system: System
    over: threading.Event = field(default_factory=threading.Event)
    killed: Counter[str] = field(default_factory=Counter)
    waits: dict[str, list[Wait]] = field(default_factory=lambda: {ORDERS: [], DETAILS: []})
    placed: dict[str, tuple[str, str]] = field(default_factory=dict)
    last: str = "nothing"


def _ask(
    storm: Storm, what: str, send: Callable[[httpx.Client], httpx.Response], client: httpx.Client
) -> httpx.Response:
    """Send a request, again and again, until it is answered by the application."""
    since = time.monotonic()
    for tries in count(1):
        try:
            response = send(client)
        except httpx.HTTPError:
            response = None
        if response is not None and response.status_code not in AGAIN:
            storm.waits[what].append(Wait(time.monotonic() - since, tries, storm.last))
            return response
        threading.Event().wait(RETRY_S)
    raise AssertionError("unreachable")


def _client(storm: Storm) -> httpx.Client:
    return httpx.Client(base_url=storm.system.url, timeout=PATIENCE_S)


def _order(storm: Storm, seed: int) -> None:
    chance = random.Random(seed)
    with _client(storm) as client:
        while not storm.over.is_set():
            token = chance.choice(TOKENS)
            order, key = new_order(token), uuid4().hex

            def send(
                client: httpx.Client, order: dict[str, Any] = order, key: str = key
            ) -> httpx.Response:
                return client.post("/orders", json=order, headers=headers(key, "wait=1"))

            response = _ask(storm, ORDERS, send, client)
            assert response.status_code in (200, 201), response.text
            customer = order["customer"]["id"]
            storm.placed[response.json()["order_id"]] = (customer, ENDS.get(token, "ACCEPTED"))


def _read(storm: Storm, order_id: str) -> None:
    path = f"/order-details/{order_id}"
    with _client(storm) as client:
        while not storm.over.wait(0.05):
            response = _ask(storm, DETAILS, lambda client: client.get(path), client)
            assert response.status_code == httpx.codes.OK, response.text


def _kill(storm: Storm, seed: int) -> None:
    chance = random.Random(seed)
    names: list[str] = []
    while not storm.over.wait(chance.uniform(*BETWEEN_S)):
        if not names:  # each of them once, in another order each time
            names = chance.sample(list(VICTIMS), len(VICTIMS))
        name = names.pop()
        system = storm.system
        victims = system.haproxies() if name == HAPROXY else system.processes(VICTIMS[name])
        if victims:
            storm.last = name
            chance.choice(victims).kill()
            storm.killed[name] += 1


def run(system: System, seconds: float, seed: int) -> Storm:
    """Let everything die in turn for `seconds`, with customers at work; return what they saw.

    Raises `AssertionError` where an order was refused or is not where it should be.
    """
    storm = Storm(system)
    first = system.http.post("/orders", json=new_order(), headers=headers()).json()["order_id"]
    reaches(system, first, "ACCEPTED")
    with ThreadPoolExecutor(CUSTOMERS + READERS + 1) as threads:
        work = [threads.submit(_order, storm, seed + n) for n in range(CUSTOMERS)]
        work += [threads.submit(_read, storm, first) for _ in range(READERS)]
        work.append(threads.submit(_kill, storm, seed))
        threading.Timer(seconds, storm.over.set).start()
        for each in work:
            each.result()
    for order_id, (customer, status) in storm.placed.items():
        reaches(system, order_id, status)
        assert_agreed(system, order_id)
        assert orders_of(system, customer) == [order_id], "one request, two orders"
    return storm


def show(storm: Storm) -> None:
    """Print what was killed, and how long answers took at most."""
    killed = Table("killed", title=f"{len(storm.placed):,} orders placed, all at their right end")
    killed.add_column("times", justify="right")
    for name in VICTIMS:
        killed.add_row(name, str(storm.killed[name]))
    console.print(killed)
    waits = Table("asked", title=f"until answered; a try is given up after {PATIENCE_S:.0f} s")
    for column in ("requests", "needed a retry", "more than one", "longest", "killed before"):
        waits.add_column(column, justify="right")
    for what, took in storm.waits.items():
        longest = max(took)
        waits.add_row(
            what,
            f"{len(took):,}",
            *(str(sum(wait.tries > n for wait in took)) for n in (1, 2)),
            f"{longest.seconds:.2f} s",
            longest.killed,
        )
    console.print(waits)


@contextmanager
def _started() -> Iterator[System]:
    with tempfile.TemporaryDirectory(prefix="siren-chaos-", dir=Path.cwd()) as folder:
        system = System(Path(folder) / "data", breaker_reset_s=1)
        try:
            system.start()
            yield system
        finally:
            system.stop()


def main() -> None:
    """Run one storm on a system of its own; exit 1 where its books are not right afterwards."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.storm", description=__doc__)
    add = parser.add_argument
    add("--seconds", type=float, default=SECONDS, help="how long things die (%(default)s)")
    add("--seed", type=int, default=1, help="order and times of the kills (%(default)s)")
    asked = parser.parse_args()
    with _started() as system:
        storm = run(system, asked.seconds, asked.seed)
        show(storm)
        audit = system.siren("verify")
        console.print(audit.stdout, end="")
        eventually(lambda: system.http.get("/readyz").is_success, "it is ready again")
    sys.exit(audit.returncode)


if __name__ == "__main__":
    main()
