"""A look at all live orders for operators: how many by status, and how full their mailboxes are."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from actors.contracts.values import OrderStatus
from actors.order.journal import Journal
from actors.order.metrics import LIVE, MAILBOX_DEEPEST, MAILBOX_DEPTH, STUCK
from actors.order.telling import count_stuck
from actors.order.virtual_order import VirtualOrder

AT_A_TIME = 1000
"""Orders that are looked at before others have their turn: 0.3 ms."""


async def measure_stuck(journal: Journal) -> None:
    """Count the orders of all hosts that `siren orders --stuck` shows; raises `Unavailable`."""
    STUCK.set(await count_stuck(journal))


async def take_census(orders: Sequence[VirtualOrder]) -> None:
    """Count some orders, a part of them at a time, into this process's metrics."""
    statuses: Counter[OrderStatus] = Counter()
    depth = deepest = 0
    for start in range(0, len(orders), AT_A_TIME):
        for order in orders[start : start + AT_A_TIME]:
            if order.order is not None:
                statuses[order.order.status] += 1
            present = order.mailbox.depth
            depth += present
            deepest = max(deepest, present)
        await asyncio.sleep(0)
    for status in OrderStatus:
        LIVE.labels(status.value).set(statuses[status])
    MAILBOX_DEPTH.set(depth)
    MAILBOX_DEEPEST.set(deepest)
