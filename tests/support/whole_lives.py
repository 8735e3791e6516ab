"""Orders from beginning to end, as many as are wanted: the load of a day in minutes."""

import time
import uuid
from collections import deque
from collections.abc import Iterator
from functools import partial

from cluster.headings.load import Labelled, Request, http_request
from cluster.headings.workloads import (
    ACCEPTED,
    BUTTONS,
    LONG_WAIT,
    REFUNDED,
    STORES,
    order_id_of,
    place_request,
)

CANCELED_EVERY = 4
"""One order in so many is cancelled and refunded; the others are made and handed over."""
BREATH_S = 0.001
PATIENCE_S = 10.0
"""After so long without an answer that lets an order go on, none will come."""


class WholeLives:
    """So many orders; each request comes once the one before it of its order is answered."""

    def __init__(self, orders: int) -> None:
        self._run = uuid.uuid4().hex[:8]
        self._left = range(orders)
        self._next: deque[tuple[str, int]] = deque()
        self._under_way = 0
        self._moved_at = time.monotonic()

    def requests(self) -> Iterator[Request]:
        """Return the requests; they end with the last order."""
        numbers = iter(self._left)
        while True:
            if self._next:
                yield self._following(*self._next.popleft())
            elif (number := next(numbers, None)) is not None:
                self._under_way += 1
                yield self._placing(number)
            elif self._under_way and time.monotonic() < self._moved_at + PATIENCE_S:
                time.sleep(BREATH_S)
                yield Labelled(http_request("GET", "/healthz"), 200, b"")
            else:
                return  # what failed has its own line among the errors

    def _placing(self, number: int) -> Request:
        store = STORES[number % len(STORES)]
        customer, key = f"c-{number % 1000}", f"{self._run}-{number}"
        data = place_request(customer, store, "tok_approve", key, Prefer=LONG_WAIT)
        learn = partial(self._placed, number)
        return Labelled(data, 201, ACCEPTED, "place", learn, or_status=200)  # HAProxy's repeat

    def _placed(self, number: int, body: bytes) -> None:
        step = len(BUTTONS) if number % CANCELED_EVERY == 0 else 0
        self._next.append((order_id_of(body), step))

    def _following(self, order_id: str, step: int) -> Request:
        self._moved_at = time.monotonic()
        if step == len(BUTTONS):
            cancel = http_request("POST", f"/orders/{order_id}/cancel", Prefer=LONG_WAIT)
            return Labelled(cancel, 200, REFUNDED, "cancel", self._ended)
        button, status = BUTTONS[step]
        press = http_request("POST", f"/pickups/{order_id}/{button}", Prefer=LONG_WAIT)
        needle = b'"order_status":"%b"' % status
        return Labelled(press, 200, needle, button, partial(self._pressed, order_id, step))

    def _pressed(self, order_id: str, step: int, body: bytes) -> None:
        if step + 1 == len(BUTTONS):
            self._ended(body)
        else:
            self._next.append((order_id, step + 1))

    def _ended(self, _body: bytes) -> None:
        self._under_way -= 1


def whole_lives(orders: int) -> Iterator[Request]:
    """Return the requests of so many orders' lives."""
    return WholeLives(orders).requests()
