"""The payment provider: what the payment service needs of one, and a simulated one.

The simulated provider stands for a third party: it keeps its own database and knows nothing of
orders. Its tokens are part of the HTTP contract.
"""

import asyncio
import re
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import Any, Protocol
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import asdict, replace
from sqlalchemy import select

from actors.contracts.errors import Unavailable
from actors.payment.incidents import Incidents
from actors.payment.provider_tables import SCHEMA, charge_failures, charges, metadata
from actors.runtime.batching import Batcher
from actors.runtime.clock import to_micros, utc_now
from actors.runtime.database import Database
from actors.runtime.group_commit import GroupCommit, Seen
from actors.runtime.hanging import trouble_with
from actors.runtime.schema import bring_up_to_date
from actors.runtime.statements import Transaction


class ChargeStatus(StrEnum):
    """How an authorization ended; CANCELED is final for its key."""

    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    CANCELED = "CANCELED"


class Charge(Struct, frozen=True):
    """The provider's answer for one key.

    Where it is CANCELED, amount (minor unit) and currency may be unknown.
    """

    charge_id: str
    status: ChargeStatus
    amount: int | None
    currency: str | None


class PaymentProvider(Protocol):
    """Charges cards, idempotently by key. Every method raises `Unavailable` for "unknown"."""

    async def authorize(self, key: str, amount: int, currency: str, token: str) -> Charge:
        """Charge `amount` (minor unit) once; the same key answers the same charge.

        A key that was cancelled is answered CANCELED, and nothing is charged.
        """

    async def cancel(self, key: str) -> None:
        """Undo the key's charge and refuse any that may still come, also for a key never seen."""

    async def find(self, key: str) -> Charge | None:
        """Return what is known of a key. None is not final: the charge may still come."""


# What these do is part of the HTTP contract; any other token is declined.
APPROVE, FLAKY, LOST_REPLY = "tok_approve", "tok_flaky", "tok_lost_reply"
UNAVAILABLE = "tok_unavailable"
SLOW = re.compile(r"tok_slow_([0-9]{1,7})")
FLAKY_FAILURES = 2


class _Entry(Struct, frozen=True):
    key: str
    charge_id: str
    amount: int | None
    currency: str | None
    status: str
    created_at: int

    @property
    def charge(self) -> Charge:
        return Charge(self.charge_id, ChargeStatus(self.status), self.amount, self.currency)


class _Authorization(Struct, frozen=True):
    key: str
    amount: int
    currency: str
    token: str


class _Cancellation(Struct, frozen=True):
    key: str


class SimulatedProvider:
    """A `PaymentProvider` with a database of its own, which survives any crash of its process."""

    def __init__(self, url: str) -> None:
        # It plays a third party, whose disk is not ours to wait for. On SQLite, in WAL mode, NORMAL
        # survives kill -9 of any process; only a power cut may take the last commits. On PostgreSQL
        # a moment's commits go with the server that dies. But before anybody relies on one, the
        # ledger commits: later in the same server's write-ahead log, and that waits for the disk.
        # What went before that is asked for again.
        self.database = Database(url, metadata, synchronous="NORMAL")
        self._charge = self.database.prepare_upsert(charges, "key", ["status"])
        self._fail = self.database.prepare_upsert(charge_failures, "key", ["failures"])
        among, prepare = self.database.among, self.database.prepare
        self._find = prepare(select(charges).where(among(charges.c.key, "keys")))
        f = charge_failures.c
        self._find_failures = prepare(select(f.key, f.failures).where(among(f.key, "keys")))
        self._reads: Batcher[str, Charge | None] = Batcher(self._find_all)
        self._commits = GroupCommit(
            self.database, (self._find, self._find_failures), (self._charge, self._fail), "provider"
        )
        self._writes: Batcher[_Authorization | _Cancellation, Any] = Batcher(
            self._commit, pace=self.database.pace, span="commit provider"
        )
        self._slow: dict[str, asyncio.Task[Charge]] = {}
        self._incidents = Incidents(self.database)

    async def create(self) -> None:
        """Create the tables, or bring older ones up to date."""
        await bring_up_to_date(self.database, SCHEMA)

    async def authorize(self, key: str, amount: int, currency: str, token: str) -> Charge:
        """Charge, or behave as badly as the token says, or as all of the provider does now."""
        incident = self._incidents.current()
        if incident is None:
            return await self._charge_now(key, amount, currency, token)
        await self._incidents.suffer(incident)
        charge = await self._charge_now(key, amount, currency, token)
        answer: Charge = self._incidents.told(incident, charge)
        return answer

    async def _charge_now(self, key: str, amount: int, currency: str, token: str) -> Charge:
        if token == UNAVAILABLE:
            raise Unavailable("provider_unavailable", "The payment provider is unavailable.")
        request = _Authorization(key, amount, currency, token)
        slow = SLOW.fullmatch(token)
        if slow:
            return await self._authorize_late(request, int(slow[1]) / 1000)
        return await self._write(request)

    async def cancel(self, key: str) -> None:
        """Undo the key's charge; final, also for a key never seen."""
        incident = self._incidents.current()
        if incident is not None:
            await self._incidents.suffer(incident)
        await self._writes.submit(_Cancellation(key))

    async def find(self, key: str) -> Charge | None:
        """Return what is known of a key."""
        return await self._reads.submit(key)

    def trouble(self) -> str | None:
        """Return what hangs between this process and the database; see `trouble_with`."""
        return trouble_with(self.database, self._reads, self._writes)

    async def close(self) -> None:
        """Close all connections."""
        self._incidents.close()
        await self.database.close()

    async def _find_all(self, keys: list[str]) -> list[Charge | None]:
        known = _by_key(await self.database.fetch(self._find, {"keys": keys}))
        return [known[key].charge if key in known else None for key in keys]

    async def _authorize_late(self, request: _Authorization, delay_s: float) -> Charge:
        known = await self.find(request.key)
        if known is not None:
            return known
        task = self._slow.get(request.key)
        if task is None:
            task = asyncio.create_task(self._land(request, delay_s))
            self._slow[request.key] = task
            task.add_done_callback(lambda _: self._slow.pop(request.key, None))
        # A provider goes on working when its caller has given up waiting.
        return await asyncio.shield(task)

    async def _land(self, request: _Authorization, delay_s: float) -> Charge:
        await asyncio.sleep(delay_s)
        return await self._write(request)

    async def _write(self, request: _Authorization) -> Charge:
        charge: Charge = await self._writes.submit(request)
        return charge

    async def _commit(self, batch: list[_Authorization | _Cancellation]) -> list[Any]:
        return await self._commits.run(
            partial(self._commit_all, batch), partial(self._believed, batch), len(batch)
        )

    def _believed(self, batch: list[_Authorization | _Cancellation]) -> list[Seen]:
        """Return what is read where every charge is a new one."""
        charges_all = all(isinstance(write, _Authorization) for write in batch)
        return [(self._find, _keys(batch), () if charges_all else None)]

    def _commit_all(
        self, batch: list[_Authorization | _Cancellation], transaction: Transaction
    ) -> list[Any]:
        flaky = [w.key for w in batch if isinstance(w, _Authorization) and w.token == FLAKY]
        before = _by_key(transaction.all(self._find, _keys(batch)))
        failures: dict[str, int] = {}
        if flaky:
            failures.update(transaction.all(self._find_failures, {"keys": flaky}))  # type: ignore[arg-type]
        books = dict(before)
        results = [_decide(books, failures, write) for write in batch]
        changed = [entry for key, entry in books.items() if before.get(key) is not entry]
        self._store(transaction, changed, failures)
        return results

    def _store(
        self, transaction: Transaction, changed: list[_Entry], failures: dict[str, int]
    ) -> None:
        if changed:
            transaction.change(self._charge, [asdict(entry) for entry in changed])
        if failures:
            counts = [{"key": key, "failures": count} for key, count in failures.items()]
            transaction.change(self._fail, counts)


def _keys(batch: list[_Authorization | _Cancellation]) -> dict[str, list[str]]:
    return {"keys": [write.key for write in batch]}


def _decide(
    books: dict[str, _Entry], failures: dict[str, int], write: _Authorization | _Cancellation
) -> Charge | Unavailable | None:
    """Apply one write to the books; return its answer."""
    if isinstance(write, _Authorization):
        return _authorize(books, failures, write)
    known = books.get(write.key)
    if known is None:
        books[write.key] = _entry(write.key, None, None, ChargeStatus.CANCELED)
    elif known.status != ChargeStatus.CANCELED:
        books[write.key] = replace(known, status=ChargeStatus.CANCELED)
    return None


def _authorize(
    books: dict[str, _Entry], failures: dict[str, int], request: _Authorization
) -> Charge | Unavailable:
    known = books.get(request.key)
    if known is not None:
        return known.charge
    if request.token == FLAKY and failures.get(request.key, 0) < FLAKY_FAILURES:
        failures[request.key] = failures.get(request.key, 0) + 1
        return Unavailable("provider_unavailable", "The payment provider is unavailable.")
    approves = request.token in (APPROVE, FLAKY, LOST_REPLY) or SLOW.fullmatch(request.token)
    status = ChargeStatus.APPROVED if approves else ChargeStatus.DECLINED
    entry = _entry(request.key, request.amount, request.currency, status)
    books[request.key] = entry
    if request.token == LOST_REPLY:
        return Unavailable("provider_timeout", "The payment provider did not answer in time.")
    return entry.charge


def _by_key(rows: Sequence[Sequence[Any]]) -> dict[str, _Entry]:
    return {row[0]: _Entry(*row) for row in rows}


def _entry(key: str, amount: int | None, currency: str | None, status: ChargeStatus) -> _Entry:
    now = to_micros(utc_now())
    return _Entry(key, f"ch_{uuid4().hex}", amount, currency, status, now)
