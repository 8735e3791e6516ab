"""More comes than can be taken: each order is accepted, or told when to come again."""

import uuid
from collections.abc import Iterator
from itertools import count

import httpx

from cluster.headings.flood import flood
from cluster.headings.load import Labelled, Request
from cluster.headings.workloads import place_request
from tests.support.outside import headers, new_order
from tests.support.system import System, eventually

RATE = 1500.0
"""Orders a second: more than two replicas of few places take at any moment."""
SECONDS = 1.0


async def test_more_orders_than_can_be_taken_are_each_accepted_or_told_to_come_again(
    public: System,
) -> None:
    token = public.siren("token", "--role", "service").stdout.strip()
    seen = await flood(public.port, orders(token), RATE, SECONDS, lead=0)
    assert seen.wrong == []
    assert seen.refused > 0
    assert seen.impolite == 0
    assert len(seen.took) + seen.refused == seen.sent
    assert len(seen.took) > 0

    given = {"Authorization": f"Bearer {token}"} | headers()

    def is_accepted() -> bool:
        answer = public.http.post("/orders", json=new_order(), headers=given)
        return answer.status_code == httpx.codes.CREATED

    eventually(is_accepted, "an order is accepted again")


def orders(token: str) -> Iterator[Request]:
    """Return orders, each accepted as soon as it is placed, settled or not."""
    run = uuid.uuid4().hex[:8]
    shown = {"Authorization": f"Bearer {token}", "Prefer": "respond-async"}
    for number in count():
        data = place_request("c-1", "gangnam", "tok_approve", f"{run}-{number}", **shown)
        yield Labelled(data, 201, b'"order_id"')
