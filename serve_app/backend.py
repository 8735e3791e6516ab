"""What the gateway works with: the commands of the client, and what the view answers."""

import asyncio
from typing import Any

import msgspec

from actors.client import AsyncSiren
from actors.contracts.errors import NotFound
from actors.installation import Installation
from actors.order.ids import check_order_id
from actors.payment.queries import PaymentQueries
from actors.peers import Peers
from actors.runtime.hanging import first, trouble_with
from actors.runtime.logs import ORDER_ID
from actors.runtime.paging import Cursors, Page, check_limit
from readmodel.queries import OrderDetails, Watcher

LARGEST_STEP = 20_000
"""Orders whose payments are looked up with one query, where few of them match."""


class Backend(AsyncSiren):
    """All that can be asked of an installation, commands and queries, for an event loop."""

    def __init__(self, installation: Installation, peers: Peers) -> None:
        super().__init__(installation, peers)
        settings, secret = installation.settings, installation.secret
        self.details = OrderDetails(settings.url("readmodel"), secret)
        self.watcher = Watcher(self.details)
        self.payments = PaymentQueries(settings.url("payments"), secret)
        self._own_payments = Cursors("payments of a customer", secret)

    def trouble(self) -> str | None:
        """Return what should have come back to this process and has not; None where all has.

        That a service is away is no trouble of this process: what is asked of it ends in time.
        """
        seconds = self.commands.lost()
        return first(
            (
                None if seconds is None else f"a command has not come back for {seconds:.0f} s",
                trouble_with(self.journal.database, *self.journal.batchers),
                self.stores.trouble(),
                self.details.trouble(),
                trouble_with(self.payments.database),
            )
        )

    async def detail(self, order_id: str) -> bytes:
        """Return the order detail from the view, whatever else is down."""
        check_order_id(order_id)
        ORDER_ID.set(order_id)
        row = await self.details.get(order_id)
        if row is None:
            raise NotFound("order_not_found", "The view has no order with this id.")
        return row.body.encode()

    async def payments_of(
        self, customer_id: str, status: str | None, limit: int, cursor: str | None
    ) -> Page:
        """Return a customer's payments, those of the newest order first.

        The payment service knows no customers: the view tells whose an order is. What is read is
        in proportion to the page, unless few payments have the `status`. Raises `Invalid` for a
        cursor that was not made here.
        """
        check_limit(limit)
        bound = {"customer_id": customer_id, "status": status}
        last: str | None = None
        if cursor is not None:
            (last,) = self._own_payments.decode(bound, cursor, str)
        found: list[dict[str, Any]] = []
        step = limit + 1
        while len(found) <= limit:
            order_ids = await self.details.order_ids(customer_id, step, last)
            known = await self.payments.of_orders(order_ids, status)
            found += [known[order_id] for order_id in order_ids if order_id in known]
            if len(order_ids) < step:
                break
            last, step = order_ids[-1], min(4 * step, LARGEST_STEP)
        next_cursor = None
        if len(found) > limit:
            next_cursor = self._own_payments.encode(bound, found[limit - 1]["order_id"])
        return Page(found[:limit], next_cursor)

    async def wait_for(self, order_id: str, status: str, timeout: float = 30) -> bytes:
        """Return the order detail once the view shows `status`.

        Raises `TimeoutError` after `timeout` seconds.
        """
        check_order_id(order_id)
        version = 0
        async with asyncio.timeout(timeout):
            while True:
                row = await self.watcher.wait_beyond(order_id, version, timeout)
                if row is not None:
                    version = row.version
                    if msgspec.json.decode(row.body)["order_status"] == status:
                        return row.body.encode()

    async def close(self) -> None:
        """Close the database connections."""
        await self.watcher.close()
        await self.details.close()
        await self.payments.close()
        await super().close()
