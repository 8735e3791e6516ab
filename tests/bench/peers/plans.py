"""Which server gets which requests, over how many connections."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import httpx

from cluster.headings.load import Request, Workload, http_request
from cluster.headings.workloads import placed_paid_accepted
from tests.bench.peers import noop
from tests.support.system import eventually

W1, W2, NO_OP = "W1", "W2", "no-op"
PAGE = 200

Prepare = Callable[[int], Workload]
"""Makes a workload for the server on this port, after the ones before it have run."""


@dataclass(frozen=True)
class Plan:
    """One workload of a server, and the numbers of connections that it is measured at."""

    workload: str
    connections: tuple[int, ...]
    prepare: Prepare


def no_ops() -> Iterator[Request]:
    """Ask for nothing, again and again."""
    return itertools.repeat((http_request("GET", noop.ROUTE), 200, b'"ok":true'))


def details(order_ids: list[str]) -> Iterator[Request]:
    """W2: `GET /order-details/{id}`, of one order after the other."""
    for order_id in itertools.cycle(order_ids):
        needle = f'"order_id":"{order_id}"'.encode()
        yield http_request("GET", f"/order-details/{order_id}"), 200, needle


def details_of_the_newest(port: int) -> Workload:
    """Return W2 over the orders that the view shows first."""
    url = f"http://127.0.0.1:{port}/order-details?limit={PAGE}"
    items = eventually(lambda: httpx.get(url).json()["items"], "the view has orders")
    return partial(details, [item["order_id"] for item in items])


def _always(workload: Workload) -> Prepare:
    return lambda _port: workload


ORDERS = _always(placed_paid_accepted)
PEER = (Plan(W1, (1, 16, 64), ORDERS),)
SIREN = (Plan(W1, (1, 16, 64, 256), ORDERS), Plan(W2, (64,), details_of_the_newest))
CEILING = (Plan(NO_OP, (1, 16, 64, 256), _always(no_ops)),)
