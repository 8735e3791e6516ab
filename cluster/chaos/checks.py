"""Every acknowledged order is looked at from outside: by HTTP, by SQL, and by its history."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from actors.runtime.clock import utc_now
from actors.settings import Settings
from cluster.audit.verify import verify
from cluster.chaos.books import AT_ONCE, Books, OrderBooks, disagreements
from cluster.chaos.customers import Customers, Order
from cluster.chaos.history import FOUND, Violation, check, traced
from cluster.chaos.report import Report

ASKED_AT_ONCE = 8


async def check_orders(customers: Customers, books: Books, report: Report, after: int) -> None:
    """Check the orders of some customers, all at rest; what is found goes into the report.

    `after`: how far the journal went before the first of them.
    """
    report.violations += customers.violations
    report.refused += customers.refused
    orders = list(customers.orders.values())
    report.acknowledged += len(orders)
    placed = await books.placed_by(customers.prefix, after)
    report.violations += _placed_twice(orders, placed)
    places = asyncio.Semaphore(ASKED_AT_ONCE)

    async def look(order: Order, rows: OrderBooks) -> None:
        async with places:
            await _check_order(order, customers, rows, report)

    for begin in range(0, len(orders), AT_ONCE):
        some = orders[begin : begin + AT_ONCE]
        found = await books.load([order.order_id for order in some])
        await asyncio.gather(*(look(order, found[order.order_id]) for order in some))


def _placed_twice(orders: Sequence[Order], placed: Mapping[str, list[str]]) -> Iterator[Violation]:
    for order in orders:
        others = set(placed.get(order.customer_id, ())) - {order.order_id}
        if others:
            words = f"its one request placed {' and '.join(sorted(others))}, too"
            yield Violation(order.order_id, "placed_twice", words)


async def _check_order(
    order: Order, customers: Customers, books: OrderBooks, report: Report
) -> None:
    detail, view = await customers.read(order), await customers.view(order)
    due = books.payment_due
    may_expire = due is not None and utc_now() >= due
    verdict, violations = check(order.order_id, order.history, may_expire=may_expire)
    report.verdicts[verdict] += 1
    report.calls += len(order.history.calls) + len(order.history.views)
    report.violations += violations
    if detail.status != FOUND:
        words = f"it was acknowledged, and GET /orders/… says {detail.status}"
        calls = traced(order.history.calls)
        report.violations.append(Violation(order.order_id, "acknowledged_then_gone", words, calls))
        return
    report.statuses[detail.body["order_status"]] += 1
    shown = view.body if view.status == FOUND else {}
    report.violations += [
        Violation(order.order_id, f"{code}_disagree", words, traced(order.history.calls))
        for code, words in disagreements(detail.body, shown, order.total, books)
    ]


def remember(customers: Customers, acknowledged: IO[str]) -> None:
    """Write down the ids of orders that were checked, one a line."""
    acknowledged.writelines(f"{order_id}\n" for order_id in customers.orders)


async def check_still_there(acknowledged: IO[str], books: Books, report: Report) -> None:
    """Check that the journal still has every order that was written down."""
    acknowledged.seek(0)
    while some := [line.strip() for _, line in zip(range(AT_ONCE), acknowledged, strict=False)]:
        known = await books.versions(some)
        report.violations += [
            Violation(each, "acknowledged_then_gone", "the journal does not have it any more")
            for each in some
            if each not in known
        ]


async def audit(settings: Settings, report: Report) -> None:
    """Audit all databases as `siren verify` does."""
    totals = await verify(
        settings,
        lambda found: report.violations.append(
            Violation(found.order_id, f"audit: {found.code}", found.words)
        ),
        lambda _done, _total: None,
    )
    report.audited = totals.orders
