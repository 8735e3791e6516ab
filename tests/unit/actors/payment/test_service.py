"""The payment service charges once and undoes for good, whatever is repeated, lost or late.

"Crash" is a fresh service on the same databases, at the state that the dead one left behind.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import func, select
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from actors.contracts.errors import Unavailable
from actors.contracts.messages import ChargeRequest, PaymentReply, RefundRequest
from actors.installation import Installation
from actors.payment import service
from actors.payment.actor import PaymentActor
from actors.payment.ledger import Payment, PaymentLedger
from actors.payment.provider import Charge, PaymentProvider, SimulatedProvider, charges
from actors.payment.service import PaymentService
from actors.runtime.faults import FAULTS
from actors.runtime.rpc_client import RpcClient
from actors.settings import Settings

Services = Callable[..., PaymentService]


class Obstacle:
    """A provider whose answers can be held back or made to fail, in front of the real one.

    `asked` says that a charge was asked for. `before` and `after` hold it up before, or after, it
    reaches the provider behind.
    """

    def __init__(self, behind: SimulatedProvider) -> None:
        self._behind = behind
        self.before, self.after, self.asked = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.before.set()
        self.after.set()
        self.authorizations = 0
        self.failing = False

    async def authorize(self, key: str, amount: int, currency: str, token: str) -> Charge:
        self.authorizations += 1
        self._fail_if_told()
        if token == "tok_held":
            self.asked.set()
            await self.before.wait()
            token = "tok_approve"
            charge = await self._behind.authorize(key, amount, currency, token)
            self.asked.set()
            await self.after.wait()
            return charge
        return await self._behind.authorize(key, amount, currency, token)

    async def cancel(self, key: str) -> None:
        self._fail_if_told()
        await self._behind.cancel(key)

    async def find(self, key: str) -> Charge | None:
        return await self._behind.find(key)

    def _fail_if_told(self) -> None:
        if self.failing:
            raise Unavailable("provider_unavailable", "told to fail")


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite alone: that the SQL speaks both dialects is tested with provider and queries."""
    return f"sqlite+aiosqlite:///{tmp_path}/payments.db"


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[SimulatedProvider]:
    provider = SimulatedProvider(f"sqlite+aiosqlite:///{tmp_path}/provider.db")
    await provider.database.create_tables()
    yield provider
    await provider.close()


@pytest.fixture
def obstacle(provider: SimulatedProvider) -> Obstacle:
    return Obstacle(provider)


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[PaymentLedger]:
    ledger = PaymentLedger(database_url)
    await ledger.database.create_tables()
    yield ledger
    await ledger.close()


@pytest.fixture
async def services(
    ledger: PaymentLedger, provider: SimulatedProvider, database_url: str
) -> AsyncIterator[Services]:
    """Make payment services that share nothing but their databases."""
    del ledger  # it makes the tables
    ledgers: list[PaymentLedger] = []

    def service(
        via: PaymentProvider = provider,
        *,
        timeout_s: float = 30,
        breaker_threshold: int = 5,
        clock: Callable[[], float] = time.monotonic,
    ) -> PaymentService:
        ledgers.append(PaymentLedger(database_url))
        return PaymentService(
            ledgers[-1],
            via,
            timeout_s=timeout_s,
            breaker_threshold=breaker_threshold,
            breaker_reset_s=60,
            clock=clock,
        )

    yield service
    for opened in ledgers:
        await opened.close()


@dataclass
class Clock:
    """Monotonic seconds that pass when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def database_that_takes_nothing(path: Path) -> Iterator[None]:
    """Hold SQLite's write lock: whoever writes is refused, as on a full disk."""
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")


def charge(token: str = "tok_approve", attempt: int = 1, order_id: str = "o") -> ChargeRequest:
    return ChargeRequest(order_id, attempt, 4500, "KRW", token)


def refund(attempts: int = 1, order_id: str = "o") -> RefundRequest:
    return RefundRequest(order_id, attempts)


async def provider_says(provider: SimulatedProvider) -> dict[str, str]:
    """Return the status of every key in the provider's own books."""
    async with provider.database.read() as connection:
        rows = await connection.execute(select(charges.c.key, charges.c.status))
        return {row.key: row.status for row in rows}


async def money_taken(provider: SimulatedProvider) -> int:
    query = select(func.sum(charges.c.amount)).where(charges.c.status == "APPROVED")
    async with provider.database.read() as connection:
        return await connection.scalar(query) or 0


async def once(ledger: PaymentLedger, holds: Callable[[Payment], bool]) -> Payment:
    """Return the payment once a condition holds for it."""
    poll = AsyncRetrying(
        retry=retry_if_result(lambda payment: not holds(payment)),
        wait=wait_fixed(0.005),
        stop=stop_after_delay(10),
    )
    return await poll(ledger.find, "o")


# --- charging ------------------------------------------------------------------------------------


async def test_an_approved_charge_is_on_record_when_it_is_answered(
    services: Services, provider: SimulatedProvider, ledger: PaymentLedger
) -> None:
    reply = await services().handle(charge())

    payment = await ledger.find("o")
    assert reply == PaymentReply(payment.payment_id, "APPROVED", was_approved=True)
    assert (payment.status, payment.amount, payment.attempts) == ("APPROVED", 4500, 1)
    assert payment.approved_at is not None
    assert await money_taken(provider) == 4500


async def test_a_repeated_charge_gets_the_same_answer_without_asking_again(
    services: Services, obstacle: Obstacle
) -> None:
    service = services(obstacle)
    first = await service.handle(charge())

    assert await service.handle(charge()) == first
    assert await services(obstacle).handle(charge()) == first
    assert obstacle.authorizations == 1


async def test_a_repeat_joins_the_authorization_that_is_under_way(
    services: Services, obstacle: Obstacle
) -> None:
    service = services(obstacle)
    obstacle.before.clear()
    asks = [asyncio.create_task(service.handle(charge("tok_held"))) for _ in range(3)]
    await obstacle.asked.wait()
    obstacle.before.set()

    first, *others = await asyncio.gather(*asks)

    assert others == [first, first]
    assert obstacle.authorizations == 1


async def test_two_systems_on_one_database_charge_once(
    services: Services, provider: SimulatedProvider
) -> None:
    """As during a rolling upgrade."""
    first, second = await asyncio.gather(services().handle(charge()), services().handle(charge()))
    assert first == second
    assert await money_taken(provider) == 4500


async def test_a_caller_who_gives_up_does_not_stop_the_charge(
    services: Services,
    obstacle: Obstacle,
    ledger: PaymentLedger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "PENDING_AFTER_S", 0)
    obstacle.before.clear()
    ask = asyncio.create_task(services(obstacle).handle(charge("tok_held")))
    await once(ledger, lambda payment: payment.payment_id is not None)
    ask.cancel()
    obstacle.before.set()
    await once(ledger, lambda payment: payment.status == "APPROVED")


async def test_a_declined_order_can_be_paid_by_a_second_attempt(
    services: Services, provider: SimulatedProvider, ledger: PaymentLedger
) -> None:
    service = services()
    declined = await service.handle(charge("tok_decline"))
    approved = await service.handle(charge("tok_approve", attempt=2))

    assert (declined.status, approved.status) == ("DECLINED", "APPROVED")
    assert declined.payment_id == approved.payment_id
    assert (await ledger.find("o")).attempts == 2
    assert await money_taken(provider) == 4500
    late = await service.handle(charge("tok_decline"))
    assert (late.status, late.payment_id) == (declined.status, declined.payment_id)


async def test_a_paid_order_is_not_charged_by_another_attempt(
    services: Services, provider: SimulatedProvider
) -> None:
    service = services()
    paid = await service.handle(charge())
    assert await service.handle(charge(attempt=2)) == paid
    assert await money_taken(provider) == 4500


async def test_a_key_that_the_provider_refuses_counts_as_declined(
    services: Services, provider: SimulatedProvider
) -> None:
    """Without a refund of ours the order can still be paid, under another key."""
    await provider.cancel("o:1")
    assert (await services().handle(charge())).status == "DECLINED"
    assert (await services().handle(charge(attempt=2))).status == "APPROVED"


async def test_a_slow_charge_is_shown_as_pending_and_holds_nobody_up(
    services: Services, obstacle: Obstacle, ledger: PaymentLedger
) -> None:
    service = services(obstacle)
    obstacle.before.clear()
    slow = asyncio.create_task(service.handle(charge("tok_held")))

    fast = await service.handle(charge(order_id="another"))
    pending = await once(ledger, lambda payment: payment.payment_id is not None)

    assert fast.status == "APPROVED"
    assert not slow.done()
    assert (pending.status, pending.attempts, pending.approved_at) == ("PENDING", 1, None)
    obstacle.before.set()
    assert await slow == PaymentReply(pending.payment_id, "APPROVED", was_approved=True)


# --- a provider that fails -----------------------------------------------------------------------


async def test_a_charge_whose_reply_was_lost_is_found_again(
    services: Services, provider: SimulatedProvider, ledger: PaymentLedger
) -> None:
    service = services()
    with pytest.raises(Unavailable):
        await service.handle(charge("tok_lost_reply"))
    assert (await ledger.find("o")).status == "PENDING"

    assert (await service.handle(charge("tok_lost_reply"))).status == "APPROVED"
    assert await money_taken(provider) == 4500


async def test_a_silent_provider_counts_as_unavailable(
    services: Services, obstacle: Obstacle, ledger: PaymentLedger
) -> None:
    obstacle.before.clear()
    with pytest.raises(Unavailable) as silent:
        await services(obstacle, timeout_s=0.01).handle(charge("tok_held"))

    assert silent.value.code == "provider_timeout"
    assert (await ledger.find("o")).status == "PENDING"


async def test_the_circuit_opens_answers_at_once_and_closes_again(
    services: Services, obstacle: Obstacle
) -> None:
    clock = Clock()
    service = services(obstacle, breaker_threshold=2, clock=clock)
    obstacle.failing = True
    for order_id in ("a", "b"):
        with pytest.raises(Unavailable):
            await service.handle(charge(order_id=order_id))
    clock.now += 1
    assert service.standing()["circuit"] == "open"
    tries = obstacle.authorizations

    for order_id in (f"new {n}" for n in range(10)):
        with pytest.raises(Unavailable) as refused:
            await service.handle(charge(order_id=order_id))
        assert refused.value.code == "circuit_open"
    assert obstacle.authorizations <= tries + 2, "a probe or two, and no more"

    clock.now += 60
    obstacle.failing = False
    assert (await service.handle(charge(order_id="a"))).status == "APPROVED"
    assert service.standing()["circuit"] == "closed"


async def test_charges_that_fail_hold_no_refund_up(
    services: Services, obstacle: Obstacle, provider: SimulatedProvider
) -> None:
    clock = Clock()
    service = services(obstacle, breaker_threshold=2, clock=clock)
    for order_id in ("paid", "also paid", "paid too"):
        await service.handle(charge(order_id=order_id))
    for n in range(20):
        with pytest.raises(Unavailable):
            await service.handle(charge("tok_unavailable", order_id=f"dead {n}"))
        clock.now += 0.3
    assert service.standing()["circuit"] == "open"

    for order_id in ("paid", "also paid", "paid too"):
        assert (await service.handle(refund(order_id=order_id))).status == "CANCELED"

    assert service.standing()["refund_circuit"] == "closed"
    assert await money_taken(provider) == 0


async def test_all_attempts_of_an_order_are_undone_as_one_probe(
    services: Services, obstacle: Obstacle
) -> None:
    clock = Clock()
    service = services(obstacle, breaker_threshold=1, clock=clock)
    obstacle.failing = True
    with pytest.raises(Unavailable):
        await service.handle(refund(attempts=5))
    clock.now += 100
    assert service.standing()["refund_circuit"] == "open"
    obstacle.failing = False
    assert (await service.handle(refund(attempts=5))).status == "CANCELED"


@pytest.mark.parametrize("full", ["payments", "provider"])
async def test_a_disk_of_ours_that_is_full_is_not_the_providers_fault(
    services: Services,
    obstacle: Obstacle,
    full: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("actors.runtime.sqlite_connections.BUSY_TIMEOUT_S", 0)
    clock = Clock()
    service = services(obstacle, breaker_threshold=2, clock=clock)
    with database_that_takes_nothing(tmp_path / f"{full}.db"):
        for order_id in ("a", "b", "c", "d"):
            with pytest.raises(Unavailable) as failed:
                await service.handle(charge(order_id=order_id))
            assert failed.value.code == "database_unavailable"
            clock.now += 1
    assert (FAULTS.last() or "").startswith(f"{full}.db: database is locked")
    assert service.standing()["circuit"] == "closed"
    assert service.standing()["orders_failing"] is None
    assert (await service.handle(charge(order_id="a"))).status == "APPROVED"


async def test_a_decline_is_no_failure_of_the_provider(services: Services) -> None:
    clock = Clock()
    service = services(breaker_threshold=1, clock=clock)
    await service.handle(charge("tok_decline"))
    clock.now += 1
    assert service.standing()["circuit"] == "closed"


# --- refunding -----------------------------------------------------------------------------------


async def test_a_refund_undoes_the_charge_and_may_be_repeated(
    services: Services, provider: SimulatedProvider, ledger: PaymentLedger
) -> None:
    service = services()
    paid = await service.handle(charge())

    refunded = await service.handle(refund())
    payment = await ledger.find("o")

    assert refunded == PaymentReply(paid.payment_id, "CANCELED", was_approved=True)
    assert payment.canceled_at is not None
    assert await money_taken(provider) == 0
    assert await service.handle(refund()) == refunded
    assert await ledger.find("o") == payment


async def test_a_charge_that_arrives_after_the_refund_is_refused(
    services: Services, obstacle: Obstacle, ledger: PaymentLedger
) -> None:
    service = services(obstacle)
    assert await service.handle(refund()) == PaymentReply(None, "CANCELED")

    for attempt in (1, 2):
        assert await service.handle(charge(attempt=attempt)) == PaymentReply(None, "CANCELED")
    assert obstacle.authorizations == 0
    assert (await ledger.find("o")).payment_id is None


async def test_a_refund_after_a_decline_says_declined_and_refuses_what_comes(
    services: Services, provider: SimulatedProvider, ledger: PaymentLedger
) -> None:
    service = services()
    declined = await service.handle(charge("tok_decline"))

    assert await service.handle(refund()) == declined
    await service.handle(charge(attempt=2))

    assert await money_taken(provider) == 0
    assert (await ledger.find("o")).status == "DECLINED"


@pytest.mark.parametrize("held_up", ["before", "after"])
async def test_an_approval_that_races_the_refund_is_undone(
    services: Services, obstacle: Obstacle, provider: SimulatedProvider, held_up: str
) -> None:
    """The charge is asked for by one system and undone by another, in either order."""
    gate: asyncio.Event = getattr(obstacle, held_up)
    gate.clear()
    racing = asyncio.create_task(services(obstacle).handle(charge("tok_held")))
    await obstacle.asked.wait()

    refunded = await services().handle(refund())
    gate.set()

    assert (await racing).status == refunded.status == "CANCELED"
    assert await money_taken(provider) == 0


async def test_an_approval_undoes_itself_when_the_refund_could_not_reach_the_provider(
    services: Services, obstacle: Obstacle, provider: SimulatedProvider, ledger: PaymentLedger
) -> None:
    service = services(obstacle)
    obstacle.before.clear()
    racing = asyncio.create_task(service.handle(charge("tok_held")))
    await obstacle.asked.wait()
    obstacle.failing = True
    with pytest.raises(Unavailable):
        await service.handle(refund())
    obstacle.failing = False
    obstacle.before.set()

    assert (await racing).status == "CANCELED"
    assert await money_taken(provider) == 0
    assert (await ledger.find("o")).status == "CANCELED"


async def test_an_approval_that_the_refund_did_not_count_is_undone(
    services: Services, obstacle: Obstacle, provider: SimulatedProvider
) -> None:
    service = services(obstacle)
    obstacle.before.clear()
    racing = asyncio.create_task(service.handle(charge("tok_held")))
    await obstacle.asked.wait()
    await service.handle(refund(attempts=0))
    obstacle.before.set()

    assert (await racing).status == "CANCELED"
    assert await provider_says(provider) == {"o:1": "CANCELED"}


def test_behind_the_tombstone_an_approval_is_not_recorded() -> None:
    payment = Payment("o").refuse(1, now=1).charged(charge(), "APPROVED", now=2)
    assert (payment.status, payment.approved_at) == ("PENDING", None)
    assert payment.outcome_of(1) is None
    assert payment.refunded(now=3).outcome_of(1) == "CANCELED"


def test_what_is_known_of_a_payment_is_not_taken_back_by_a_late_report() -> None:
    approved = Payment("o").charged(charge(), "APPROVED", now=1)
    refused = approved.refuse(1, now=2)
    for known in (approved, refused, refused.refunded(now=3)):
        assert known.charged(charge(), "PENDING", now=4) == known


async def test_whatever_the_order_of_repeats_a_refunded_order_is_not_charged(
    services: Services, provider: SimulatedProvider, ledger: PaymentLedger
) -> None:
    service = services()
    requests: dict[str, Callable[..., Any]] = {"c": charge, "r": refund}
    for one_by_one in (True, False):
        for index, order in enumerate(sorted(set(permutations("ccrr")))):
            order_id = f"{one_by_one}-{index}"
            calls: list[Any] = [
                service.handle(requests[letter](order_id=order_id)) for letter in order
            ]
            if one_by_one:
                replies = [await call for call in calls]
            else:
                replies = await asyncio.gather(*calls)
            refunds = {r.status for r, letter in zip(replies, order, strict=True) if letter == "r"}
            assert refunds == {"CANCELED"}
            assert (await ledger.find(order_id)).status == "CANCELED"
    assert await money_taken(provider) == 0


# --- crashes -------------------------------------------------------------------------------------


async def test_a_crash_between_charge_and_commit_is_healed_by_repeating_the_charge(
    services: Services, provider: SimulatedProvider
) -> None:
    await provider.authorize("o:1", 4500, "KRW", "tok_approve")
    assert (await services().handle(charge())).status == "APPROVED"
    assert await money_taken(provider) == 4500


async def test_a_crash_between_charge_and_commit_is_healed_by_a_refund(
    services: Services, provider: SimulatedProvider
) -> None:
    """This service has never heard of the attempt; the order knows how many there were."""
    await services().handle(charge("tok_decline"))
    await provider.authorize("o:2", 4500, "KRW", "tok_approve")

    assert (await services().handle(refund(attempts=2))).status == "CANCELED"
    assert (await provider_says(provider))["o:2"] == "CANCELED"
    assert await money_taken(provider) == 0


@pytest.mark.parametrize("charged_before", [True, False])
@pytest.mark.parametrize("repeated", [charge(), refund()])
async def test_a_crash_between_tombstone_and_cancel_is_healed_by_either_repeat(
    services: Services,
    obstacle: Obstacle,
    provider: SimulatedProvider,
    ledger: PaymentLedger,
    repeated: ChargeRequest | RefundRequest,
    charged_before: bool,  # noqa: FBT001
) -> None:
    if charged_before:
        await services().handle(charge())
    await ledger.apply("o", lambda payment: payment.refuse(1, now=1))

    assert (await services(obstacle).handle(repeated)).status == "CANCELED"
    assert await provider_says(provider) == {"o:1": "CANCELED"}
    assert obstacle.authorizations == 0


async def test_a_crash_between_cancel_and_commit_is_healed_by_the_repeated_refund(
    services: Services, provider: SimulatedProvider, ledger: PaymentLedger
) -> None:
    await services().handle(charge())
    await ledger.apply("o", lambda payment: payment.refuse(1, now=1))
    await provider.cancel("o:1")

    assert (await services().handle(refund())).status == "CANCELED"
    assert (await ledger.find("o")).canceled_at is not None


# --- the actor -----------------------------------------------------------------------------------


async def test_the_actor_makes_its_tables_and_takes_requests(tmp_path: Path) -> None:
    actor = PaymentActor.__new__(PaymentActor)
    settings = Settings(data_dir=tmp_path)
    await actor.__init__(Installation(settings, b"", order_hosts=1))  # type: ignore[misc]

    handle = SimpleNamespace(endpoint=SimpleNamespace(remote=actor.endpoint))
    reply = await RpcClient(lambda: handle).ask(charge(), 10)

    assert reply.status == "APPROVED"
    assert (await actor.describe())["circuit"] == "closed"


async def test_a_quick_approval_costs_a_single_commit(
    services: Services, ledger: PaymentLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = []
    monkeypatch.setattr(service, "PENDING_AFTER_S", 10)
    commit = PaymentLedger.apply

    async def counted(self: PaymentLedger, order_id: str, change: Any) -> Payment:
        commits.append(order_id)
        return await commit(self, order_id, change)

    monkeypatch.setattr(PaymentLedger, "apply", counted)
    await services().handle(charge())
    assert commits == ["o"]
    assert (await ledger.find("o")).status == "APPROVED"
