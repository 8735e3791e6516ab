"""More comes than can be taken: what is taken is done, all else is told when to come again."""

from functools import partial

import httpx

from cluster.headings.bystanders import orders_at
from cluster.headings.flood import flood_in_own_process
from tests.support.outside import SETTLED, headers, new_order
from tests.support.system import System, eventually

RATE = 3000.0
"""Orders a second: several times what two replicas of few places take on any machine of today."""
SECONDS = 1.5
IMPATIENT_S = 0.1


async def test_too_many_orders_are_each_accepted_or_told_to_come_again(public: System) -> None:
    service = public.siren("token", "--role", "service").stdout.strip()
    orders = partial(orders_at, "gangnam", service)
    for patience in (None, IMPATIENT_S):
        seen = await flood_in_own_process(public.port, orders, RATE, SECONDS, patience=patience)
        assert seen.wrong == []
        assert seen.took or seen.left  # who leaves so soon may have come for nothing
        assert seen.refused > 0
        assert seen.impolite == 0
        assert (seen.left > 0) == (patience is not None)
        eventually(lambda: is_accepted(public, service), "an order is accepted again")


def is_accepted(system: System, token: str) -> bool:
    given = {"Authorization": f"Bearer {token}"} | headers(prefer=SETTLED)
    answer = system.http.post("/orders", json=new_order(), headers=given)
    return answer.status_code == httpx.codes.CREATED
