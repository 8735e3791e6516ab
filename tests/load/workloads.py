"""What is asked of the system under load: endless iterators of requests and expected answers."""

import itertools
import uuid
from collections.abc import Iterator
from functools import partial

from tests.load.http_load import Request, http_request

SLOW_MS = 1500
SLOW_EVERY = 41
STORES = ("gangnam", "pangyo", "jeju")


def _order(customer: str, store: str, token: str) -> dict[str, object]:
    return {
        "customer": {"id": customer, "name": "Load", "tel": "010-0000-0000"},
        "store_id": store,
        "items": [{"menu_id": "americano", "quantity": 2}, {"menu_id": "bagel", "quantity": 1}],
        "payment": {"method": "card", "token": token},
    }


def placed_paid_accepted(token: str = "tok_approve") -> Iterator[Request]:
    """W1: `POST /orders` with payment, answered when the store has accepted."""
    run = uuid.uuid4().hex[:8]
    for number, store in zip(itertools.count(), itertools.cycle(STORES), strict=False):
        body = _order(f"load-{run}-{number}", store, token)
        request = http_request("POST", "/orders", body, Idempotency_Key=f"{run}-{number}")
        yield request, 201, b'"order_status":"ACCEPTED"'


def fast_among_slow(*, slow: bool) -> Iterator[Request]:
    """W1 where one payment in `SLOW_EVERY` takes `SLOW_MS`, if `slow`; the others are fast."""
    fast, late = placed_paid_accepted(), placed_paid_accepted(f"tok_slow_{SLOW_MS}")
    for number in itertools.count():
        yield next(late if slow and number % SLOW_EVERY == SLOW_EVERY - 1 else fast)


with_slow_payments = partial(fast_among_slow, slow=True)
without_slow_payments = partial(fast_among_slow, slow=False)
