"""Reading payments: the payment service's own record, from its database alone."""

from typing import Any

from sqlalchemy import Row, Select, select, tuple_

from actors.contracts.errors import NotFound
from actors.payment.tables import metadata, payments
from actors.runtime.clock import from_micros
from actors.runtime.database import Database
from actors.runtime.paging import Cursors, Page, check_limit

# A row without a payment id is a tombstone, not a payment.
_PAYMENTS = select(payments).where(payments.c.payment_id.is_not(None))


class PaymentQueries:
    """Reads payments while the payment actor may be dead. Raises `Unavailable` without database.

    `secret` signs cursors.
    """

    def __init__(self, url: str, secret: bytes | None = None) -> None:
        self.database = Database(url, metadata)
        self._cursors = Cursors("payments", secret)

    async def page(
        self,
        order_id: str | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        scope: str | None = None,
    ) -> Page:
        """Return payments of the HTTP contract's shape, newest first; times are datetimes.

        Raises `Invalid` for a cursor that was not made here, for these filters and this scope
        (whoever asks), or a limit out of range.
        """
        check_limit(limit)
        bound = {"order_id": order_id, "status": status, "scope": scope}
        query = _matching(order_id, status)
        if cursor is not None:
            key = tuple_(payments.c.created_at, payments.c.order_id)
            query = query.where(key < self._cursors.decode(bound, cursor, int, str))
        newest_first = query.order_by(payments.c.created_at.desc(), payments.c.order_id.desc())
        async with self.database.read() as connection:
            rows = (await connection.execute(newest_first.limit(limit + 1))).all()
        shown = rows[:limit]
        next_cursor = None
        if len(rows) > limit:
            next_cursor = self._cursors.encode(bound, shown[-1].created_at, shown[-1].order_id)
        with self.database.faults.readable:
            return Page([_payment(row) for row in shown], next_cursor)

    async def of_orders(
        self, order_ids: list[str], status: str | None = None
    ) -> dict[str, dict[str, Any]]:
        """Return the payments of some orders by order id, those of this status if it is given."""
        query = _matching(None, status).where(self.database.among(payments.c.order_id, "order_ids"))
        async with self.database.read() as connection:
            rows = (await connection.execute(query, {"order_ids": order_ids})).all()
        with self.database.faults.readable:
            return {row.order_id: _payment(row) for row in rows}

    async def get(self, payment_id: str) -> dict[str, Any]:
        """Return one payment; raises `NotFound` where there is none with this id."""
        async with self.database.read() as connection:
            query = _PAYMENTS.where(payments.c.payment_id == payment_id)
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise payment_not_found()
        with self.database.faults.readable:
            return _payment(row)

    async def close(self) -> None:
        """Close all connections."""
        await self.database.close()


def payment_not_found() -> NotFound:
    """Return the error of a payment that does not exist."""
    return NotFound("payment_not_found", "There is no payment with this id.")


def _matching(order_id: str | None, status: str | None) -> Select[Any]:
    query = _PAYMENTS
    if order_id is not None:
        query = query.where(payments.c.order_id == order_id)
    if status is not None:
        query = query.where(payments.c.status == status)
    return query


def _payment(row: Row[Any]) -> dict[str, Any]:
    return {
        "payment_id": row.payment_id,
        "order_id": row.order_id,
        "amount": row.amount,
        "currency": row.currency,
        "status": row.status,
        "approved_at": None if row.approved_at is None else from_micros(row.approved_at),
        "canceled_at": None if row.canceled_at is None else from_micros(row.canceled_at),
        "attempts": row.attempts,
    }
