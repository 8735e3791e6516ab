"""A provider that fails is spared, and what it may have done is found again."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from actors.contracts.errors import Unavailable
from actors.payment.ledger import PaymentLedger
from actors.payment.provider import SimulatedProvider
from actors.runtime.faults import FAULTS
from tests.support.payments import Obstacle, Services, charge, money_taken, refund


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
