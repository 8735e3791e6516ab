"""What is asked of the system under load: iterators of requests and the answers they must get.

They run in the generator's process, so whoever passes one on with arguments uses `partial`.
"""

import itertools
import random
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

from cluster.headings.load import Labelled, Request, http_request

STORES = ("gangnam", "pangyo", "jeju")
ACCEPTED = b'"order_status":"ACCEPTED"'
# The detail's fields come in the order of the contract, so one needle checks both.
REFUNDED = b'"order_status":"CANCELED","payment_status":"CANCELED"'

SLOW_MS = 1500
SLOW_EVERY = 40
FAST, SLOW = "fast", "slow"
LONG_WAIT = "wait=20"
"""For payments that are slow on purpose: queueing must not make their answer an unsettled one."""

READ, PLACE, BARISTA, CANCEL = "read", "place", "barista", "cancel"
MIX = {READ: 70, PLACE: 20, BARISTA: 5, CANCEL: 5}
BUTTONS = (("start", b"PREPARING"), ("ready", b"READY"), ("complete", b"PICKED_UP"))
CUSTOMERS = 1000
SEED = 3
VIEW_MOMENT_S = 2.0
"""The view follows the journal: an order that was placed within this time is not read yet."""

_ORDER_ID = re.compile(rb'"order_id":"([^"]+)"')


def _zipf(count: int) -> list[float]:
    """Return cumulative weights: 1, 1 + 1/2, 1 + 1/2 + 1/3 and so on."""
    return list(itertools.accumulate(1 / rank for rank in range(1, count + 1)))


STORE_WEIGHTS = _zipf(len(STORES))
CUSTOMER_WEIGHTS = _zipf(CUSTOMERS)


def order_id_of(body: bytes) -> str:
    """Return the id in an order detail, without parsing the rest."""
    found = _ORDER_ID.search(body)
    assert found is not None
    return found[1].decode()


def place_request(customer: str, store: str, token: str, key: str, **headers: str) -> bytes:
    """Return the bytes of a `POST /orders` with payment."""
    body = {
        "customer": {"id": customer, "name": "Load", "tel": "010-0000-0000"},
        "store_id": store,
        "items": [{"menu_id": "americano", "quantity": 2}, {"menu_id": "bagel", "quantity": 1}],
        "payment": {"method": "card", "token": token},
    }
    return http_request("POST", "/orders", body, Idempotency_Key=key, **headers)


def placed_paid_accepted(token: str = "tok_approve", **headers: str) -> Iterator[Request]:
    """W1: `POST /orders` with payment, answered when the store has accepted."""
    run = uuid.uuid4().hex[:8]
    first = _key(run, 0)
    written = [
        place_request(f"load-{first}", store, token, first, **headers).split(first.encode())
        for store in STORES
    ]
    # Written once, for the sake of speed: the machine is the system's, too.
    for number, parts in enumerate(itertools.cycle(written)):
        yield _key(run, number).encode().join(parts), 201, ACCEPTED


def _key(run: str, number: int) -> str:
    """Return a key that is as long as every other one."""
    return f"{run}-{number:08}"


def placed(at_most: int, learn: Callable[[str], None]) -> Iterator[Request]:
    """W1 of at most so many orders; `learn` gets the id of each."""
    for request in itertools.islice(placed_paid_accepted(), at_most):
        yield Labelled(*request[:3], learn=lambda body: learn(order_id_of(body)))


def order_details(order_ids: list[str]) -> Iterator[Request]:
    """W2: `GET /order-details/{id}`, of one order after the other, again and again."""
    return itertools.cycle([_read(order_id) for order_id in order_ids])


def canceled(order_ids: list[str]) -> Iterator[Request]:
    """W3: `POST /orders/{id}/cancel` of accepted orders, answered when all is undone; each once."""
    for order_id in order_ids:
        yield _cancel(order_id)


def placed_then_canceled() -> Iterator[Request]:
    """Orders, each cancelled once it is accepted: a saga forward, then its compensations."""
    accepted: deque[str] = deque()
    for request in placed_paid_accepted():
        if accepted:
            yield _cancel(accepted.popleft())
        learn = lambda body: accepted.append(order_id_of(body))  # noqa: E731
        yield Labelled(*request[:3], PLACE, learn)


def mixed(order_ids: list[str], seed: int = SEED) -> Iterator[Request]:
    """W4: reads, orders, barista's buttons and cancels, by the shares of `MIX`; never ends.

    `order_ids` can be read from the start; more come as they are placed.
    """
    return Mix(order_ids, seed).requests()


class Mix:
    """The orders of one run of W4. Whoever presses or cancels takes the order out meanwhile.

    Stores and customers are skewed as by Zipf: the n-th is chosen 1/n as often as the first. So
    is reading: each order belongs to a customer, who looks at it as often as he or she orders.
    """

    def __init__(self, order_ids: list[str], seed: int) -> None:
        self._random = random.Random(seed)
        self._run = uuid.uuid4().hex[:8]
        self._readable: list[list[str]] = [[] for _ in range(CUSTOMERS)]
        self._fresh: deque[tuple[float, int, str]] = deque()
        self._accepted: deque[str] = deque()
        self._on_the_board: deque[tuple[str, int]] = deque()
        for number, order_id in enumerate(order_ids):
            self._readable[number % CUSTOMERS].append(order_id)

    def requests(self) -> Iterator[Request]:
        """Return the requests; they never end."""
        make = {
            READ: self._reading,
            PLACE: self._placing,
            BARISTA: self._pressing,
            CANCEL: self._canceling,
        }
        kinds = tuple(MIX)
        shares = tuple(itertools.accumulate(MIX.values()))
        for number in itertools.count():
            kind = self._random.choices(kinds, cum_weights=shares)[0]
            customer = self._random.choices(range(CUSTOMERS), cum_weights=CUSTOMER_WEIGHTS)[0]
            # Where no order is there for it yet, one is placed.
            yield make[kind](number, customer) or self._placing(number, customer)

    def _placing(self, number: int, customer: int) -> Request:
        store = self._random.choices(STORES, cum_weights=STORE_WEIGHTS)[0]
        data = place_request(f"zipf-{customer}", store, "tok_approve", f"{self._run}-{number}")
        return Labelled(data, 201, ACCEPTED, PLACE, partial(self._was_placed, customer))

    def _was_placed(self, customer: int, body: bytes) -> None:
        order_id = order_id_of(body)
        self._accepted.append(order_id)
        self._fresh.append((time.monotonic() + VIEW_MOMENT_S, customer, order_id))

    def _reading(self, _number: int, customer: int) -> Request | None:
        while self._fresh and self._fresh[0][0] <= time.monotonic():
            _, owner, order_id = self._fresh.popleft()
            self._readable[owner].append(order_id)
        # A customer without an order yet looks at one of the busiest customer's.
        orders = self._readable[customer] or self._readable[0]
        return _read(self._random.choice(orders), READ) if orders else None

    def _pressing(self, _number: int, _customer: int) -> Request | None:
        if self._on_the_board:
            order_id, button = self._on_the_board.popleft()
        elif self._accepted:
            order_id, button = self._accepted.popleft(), 0
        else:
            return None
        action, status = BUTTONS[button]
        data = http_request("POST", f"/pickups/{order_id}/{action}")
        pressed = partial(self._was_pressed, order_id, button)
        return Labelled(data, 200, b'"order_status":"%b"' % status, BARISTA, pressed)

    def _was_pressed(self, order_id: str, button: int, _body: bytes) -> None:
        if button + 1 < len(BUTTONS):
            self._on_the_board.append((order_id, button + 1))

    def _canceling(self, _number: int, _customer: int) -> Request | None:
        return _cancel(self._accepted.popleft()) if self._accepted else None


def _read(order_id: str, kind: str = "") -> Labelled:
    needle = f'"order_id":"{order_id}"'.encode()
    return Labelled(http_request("GET", f"/order-details/{order_id}"), 200, needle, kind)


def _cancel(order_id: str) -> Labelled:
    data = http_request("POST", f"/orders/{order_id}/cancel")
    return Labelled(data, 200, REFUNDED, CANCEL)


def fast_among_slow(*, slow: bool) -> Iterator[Request]:
    """W1 where one payment in `SLOW_EVERY` takes `SLOW_MS`, if `slow`; the others are fast."""
    fast = placed_paid_accepted(Prefer=LONG_WAIT)
    late = placed_paid_accepted(f"tok_slow_{SLOW_MS}", Prefer=LONG_WAIT)
    for number in itertools.count():
        is_slow = slow and number % SLOW_EVERY == SLOW_EVERY - 1
        yield Labelled(*next(late if is_slow else fast)[:3], kind=SLOW if is_slow else FAST)


with_slow_payments = partial(fast_among_slow, slow=True)
without_slow_payments = partial(fast_among_slow, slow=False)
every_payment_300_ms = partial(placed_paid_accepted, "tok_slow_300", Prefer=LONG_WAIT)
