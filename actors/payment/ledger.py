"""What the payment service knows of each order's money, and the only way it changes.

Knows no provider. A change is a pure function of the payment, applied inside a group-committed
write transaction, so whatever is decided is decided on the latest state of the database.
"""

from collections.abc import Callable, Sequence
from functools import partial
from secrets import token_hex
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace
from sqlalchemy import select

from actors.contracts.messages import ChargeRequest, PaymentReply
from actors.contracts.values import PaymentStatus
from actors.payment.tables import SCHEMA, metadata, payments
from actors.runtime.batching import Batcher
from actors.runtime.clock import to_micros, utc_now
from actors.runtime.database import Database
from actors.runtime.group_commit import GroupCommit, Seen
from actors.runtime.hanging import trouble_with
from actors.runtime.schema import bring_up_to_date
from actors.runtime.statements import Transaction

PENDING, APPROVED = PaymentStatus.PENDING, PaymentStatus.APPROVED
DECLINED, CANCELED = PaymentStatus.DECLINED, PaymentStatus.CANCELED


class Payment(Struct, frozen=True):
    """The money of one order; as created, nobody has asked for any.

    The order asks for attempt n+1 only once attempt n was declined, so `attempts` and the status
    of the last one tell all. Times are microseconds since 1970.
    """

    order_id: str
    payment_id: str | None = None
    amount: int | None = None
    currency: str | None = None
    status: str = PENDING
    attempts: int = 0
    refused: bool = False
    created_at: int = 0
    approved_at: int | None = None
    canceled_at: int | None = None

    def reply(self, status: str) -> PaymentReply:
        """Return what the order is told, with `status` as the answer to its request."""
        return PaymentReply(self.payment_id, status, self.approved_at is not None)

    def outcome_of(self, attempt: int) -> str | None:
        """Return how an attempt ended; None while it is open, or while a refund is unfinished."""
        if self.refused:
            return self.status if self.status in (DECLINED, CANCELED) else None
        if attempt < self.attempts:
            return DECLINED
        # A paid order answers APPROVED to any attempt: it is never charged twice.
        decided = self.status == APPROVED or attempt == self.attempts
        return self.status if decided and self.status != PENDING else None

    def charged(self, request: ChargeRequest, status: str, now: int) -> "Payment":
        """Return the payment once the provider said `status` to a charge; PENDING: nothing yet.

        Behind the tombstone an approval is not recorded: its charge has to be undone.
        """
        payment = self if self.payment_id else self._identified(request, now)
        if payment.outcome_of(request.attempt) is not None:
            return payment
        if payment.refused and (status != DECLINED or payment.status == APPROVED):
            return payment
        return replace(
            payment,
            # The provider refuses a key that it knows as cancelled: nothing was charged.
            status=DECLINED if status == CANCELED else status,
            attempts=max(payment.attempts, request.attempt),
            approved_at=now if status == APPROVED else None,
        )

    def refuse(self, attempts: int, now: int) -> "Payment":
        """Return the payment with its tombstone, where the order asked for `attempts` charges.

        It is PENDING if it has to be assumed that one of them went through.
        """
        if self.refused and attempts <= self.attempts:
            return self
        unknown = attempts > self.attempts and self.status != APPROVED
        return replace(
            self,
            status=PENDING if unknown else self.status,
            attempts=max(attempts, self.attempts),
            refused=True,
            created_at=self.created_at or now,
        )

    def refunded(self, now: int) -> "Payment":
        """Return the payment once no charge is left at the provider."""
        if self.status in (DECLINED, CANCELED):
            return self
        return replace(self, status=CANCELED, canceled_at=now)

    def _identified(self, request: ChargeRequest, now: int) -> "Payment":
        return replace(
            self,
            # Sorted by time: each random place in a large index is a page to read, log and copy.
            payment_id=f"pay_{now:014x}{token_hex(9)}",
            amount=request.amount,
            currency=request.currency,
            created_at=now,
        )


Change = Callable[[Payment], Payment]
_Wanted = tuple[str, Change, Payment | None]
_NAMES = Payment.__struct_fields__
_COLUMNS = tuple(payments.c[name] for name in _NAMES)


class PaymentLedger:
    """Reads and changes payments; every process that needs them opens its own."""

    def __init__(self, url: str) -> None:
        self.database = Database(url, metadata)
        self._upsert = self.database.prepare_upsert(payments, "order_id", _NAMES[1:], _NAMES)
        mine = self.database.among(payments.c.order_id, "order_ids")
        self._query = self.database.prepare(select(*_COLUMNS).where(mine))
        self._reads: Batcher[str, Payment] = Batcher(self._find_all)
        self._commits = GroupCommit(self.database, (self._query,), (self._upsert,), "payments")
        self._changes: Batcher[_Wanted, Payment] = Batcher(
            self._commit, pace=self.database.pace, span="commit payments"
        )

    async def create(self) -> None:
        """Create the table, or bring an older one up to date."""
        await bring_up_to_date(self.database, SCHEMA)

    async def find(self, order_id: str) -> Payment:
        """Return an order's payment; a blank one where nothing is known."""
        return await self._reads.submit(order_id)

    async def apply(
        self, order_id: str, change: Change, believed: Payment | None = None
    ) -> Payment:
        """Change an order's payment durably and return it; `change` sees the latest state.

        `believed` is what it was when the caller last saw it: where it still is, that spares a
        look. Raises `Unavailable` where the database cannot be written: then the change may or may
        not have been made, and `change` may run again.
        """
        return await self._changes.submit((order_id, change, believed))

    def trouble(self) -> str | None:
        """Return what hangs between this process and the database; see `trouble_with`."""
        return trouble_with(self.database, self._reads, self._changes)

    async def close(self) -> None:
        """Close all connections."""
        await self.database.close()

    async def _find_all(self, order_ids: list[str]) -> list[Payment]:
        known = _by_order(await self.database.fetch(self._query, {"order_ids": order_ids}))
        return [known.get(order_id) or Payment(order_id) for order_id in order_ids]

    async def _commit(self, batch: list[_Wanted]) -> list[Payment]:
        return await self._commits.run(
            partial(self._apply_all, batch), partial(self._believed, batch), len(batch)
        )

    def _believed(self, batch: list[_Wanted]) -> list[Seen]:
        """Return what is read where nobody else has changed what was seen."""
        payments = {order_id: payment for order_id, _, payment in batch}
        rows = [
            tuple(asdict(payment).values())
            for _, payment in sorted(payments.items())
            if payment is not None and payment != Payment(payment.order_id)
        ]
        return [(self._query, _mine(batch), None if None in payments.values() else rows)]

    def _apply_all(self, batch: list[_Wanted], transaction: Transaction) -> list[Payment]:
        results: list[Payment] = []
        known = _by_order(transaction.all(self._query, _mine(batch)))
        changed: dict[str, Payment] = {}
        for order_id, change, _ in batch:
            before = known.get(order_id) or Payment(order_id)
            after = change(before)
            if after is not before:
                known[order_id] = changed[order_id] = after
            results.append(after)
        if changed:
            transaction.change(self._upsert, [asdict(each) for each in changed.values()])
        return results


def _mine(batch: list[_Wanted]) -> dict[str, list[str]]:
    return {"order_ids": [order_id for order_id, *_ in batch]}


def _by_order(rows: Sequence[Sequence[Any]]) -> dict[str, Payment]:
    return {row[0]: Payment(*row) for row in rows}


def now_micros() -> int:
    """Return the time now in microseconds since 1970."""
    return to_micros(utc_now())
