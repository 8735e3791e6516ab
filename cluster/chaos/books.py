"""What each service has written about an order, by SQL, and what the services disagree about."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, or_, select

from actors.contracts.limits import MAX_ATTEMPTS
from actors.order.journal_tables import events, open_orders, order_private
from actors.payment.provider_tables import charges
from actors.payment.service import payment_key
from actors.payment.tables import payments
from actors.runtime.clock import to_micros, utc_now
from actors.settings import Settings
from actors.store.tables import tickets
from cluster.audit.databases import Databases
from readmodel.tables import LIVE, checkpoint

AT_ONCE = 400
"""Orders that are read together."""
Finding = tuple[str, str]
"""A code for programs, and words for people."""


@dataclass
class OrderBooks:
    """The rows of one order; `token`: its card token, which goes when its attempt is over."""

    events: list[Row[Any]] = field(default_factory=list)
    charges: list[Row[Any]] = field(default_factory=list)
    payments: list[Row[Any]] = field(default_factory=list)
    tickets: list[Row[Any]] = field(default_factory=list)
    token: str | None = None

    @property
    def payment_due(self) -> datetime | None:
        """Until when it can be paid; None where the journal does not have it."""
        if not self.events:
            return None
        return datetime.fromisoformat(json.loads(self.events[0].data)["payment_due"])


class Books:
    """All databases of a system, read only. All methods raise `SirenError`."""

    def __init__(self, settings: Settings) -> None:
        self._databases = Databases(settings)

    async def close(self) -> None:
        """Close all connections."""
        await self._databases.close()

    async def position(self) -> int:
        """Return how far the journal goes."""
        return await self._databases.scalar("journal", events, select(func.max(events.c.position)))

    async def viewed(self) -> int:
        """Return how far into the journal the view goes."""
        reached = select(checkpoint.c.position).where(checkpoint.c.name == LIVE)
        return await self._databases.scalar("readmodel", checkpoint, reached)

    async def outstanding(self) -> set[str]:
        """Return the orders for which something is to be done; that one may be paid is none."""
        now = to_micros(utc_now())
        query = select(open_orders.c.order_id).where(
            or_(open_orders.c.due_at <= now, open_orders.c.ticket_version.is_not(None))
        )
        async with self._databases.read("journal") as connection:
            return set(await connection.scalars(query))

    async def placed_by(self, prefix: str, after: int) -> dict[str, list[str]]:
        """Return the orders behind a position of the journal, by customers whose ids begin so."""
        query = select(events.c.order_id, events.c.data).where(
            events.c.position > after, events.c.type == "OrderPlaced"
        )
        found: defaultdict[str, list[str]] = defaultdict(list)
        async with self._databases.read("journal") as connection:
            for row in await connection.execute(query):
                customer = json.loads(row.data)["customer_id"]
                if customer.startswith(prefix):
                    found[customer].append(row.order_id)
        return found

    async def versions(self, order_ids: Sequence[str]) -> dict[str, int]:
        """Return how far the journal knows each order; those that it does not know are missing."""
        query = (
            select(events.c.order_id, func.max(events.c.version))
            .where(events.c.order_id.in_(order_ids))
            .group_by(events.c.order_id)
        )
        async with self._databases.read("journal") as connection:
            return {row[0]: row[1] for row in await connection.execute(query)}

    async def load(self, order_ids: Sequence[str]) -> Mapping[str, OrderBooks]:
        """Return what stands of some orders."""
        found: defaultdict[str, OrderBooks] = defaultdict(OrderBooks)
        attempts = range(1, MAX_ATTEMPTS + 1)
        keys = {payment_key(each, n): each for each in order_ids for n in attempts}
        async with self._databases.read("journal") as connection:
            query = select(events).where(events.c.order_id.in_(order_ids))
            for row in await connection.execute(query.order_by(events.c.position)):
                found[row.order_id].events.append(row)
            private = select(order_private).where(order_private.c.order_id.in_(order_ids))
            for row in await connection.execute(private):
                found[row.order_id].token = row.payment_token
        async with self._databases.read("payments") as connection:
            query = select(payments).where(payments.c.order_id.in_(order_ids))
            for row in await connection.execute(query):
                found[row.order_id].payments.append(row)
        async with self._databases.read("provider") as connection:
            for row in await connection.execute(select(charges).where(charges.c.key.in_(keys))):
                found[keys[row.key]].charges.append(row)
        async with self._databases.read("stores") as connection:
            query = select(tickets).where(tickets.c.order_id.in_(order_ids))
            for row in await connection.execute(query):
                found[row.order_id].tickets.append(row)
        return found


def disagreements(
    detail: Mapping[str, Any], view: Mapping[str, Any], total: int, books: OrderBooks
) -> Iterator[Finding]:
    """Yield what of an order at rest is not as the order itself says; `total`: what was promised.

    `detail` and `view` are the order as the journal and as the view show it.
    """
    versions = [row.version for row in books.events]
    if versions != list(range(1, detail["version"] + 1)):
        yield "events", f"the journal has versions {versions}, the order {detail['version']}"
    if view != detail:
        yield "view", f"it shows version {view.get('version')}, the journal {detail['version']}"
    yield from _money(detail, total, books)
    ticket = detail["pickup_status"] != "NONE"
    if len(books.tickets) != ticket:
        yield "tickets", f"the store has {len(books.tickets)}, the order says {int(ticket)}"
    for row in books.tickets:
        if row.status != detail["pickup_status"]:
            yield "tickets", f"the store says {row.status}, the order {detail['pickup_status']}"
        # An order that was cancelled meanwhile never heard of its number.
        if detail["pickup_number"] not in (None, row.number):
            yield "tickets", f"the store calls {row.number}, the order {detail['pickup_number']}"
    if books.token is not None:
        yield "token", "the card token outlived its attempt"


def _money(detail: Mapping[str, Any], total: int, books: OrderBooks) -> Iterator[Finding]:
    if detail["total"] != total:
        yield "total", f"it was {total} when it was placed, and is {detail['total']}"
    live = [row for row in books.charges if row.status == "APPROVED"]
    paid = detail["payment_status"] == "APPROVED"
    if len(live) != paid:
        yield "charges", f"{len(live)} live charges, the payment is {detail['payment_status']}"
    if any(row.amount != total for row in live):
        yield "charges", f"a charge is not over {total}"
    if len(books.payments) > 1:
        yield "payments", f"there are {len(books.payments)}"
    for row in books.payments:
        if row.payment_id and row.status != detail["payment_status"]:
            yield "payments", f"it is {row.status}, the order says {detail['payment_status']}"
