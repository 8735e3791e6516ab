"""A charge is made once, whatever is repeated, slow or given up."""

import asyncio
from typing import Any

import pytest

from actors.contracts.messages import PaymentReply
from actors.payment import service
from actors.payment.ledger import Payment, PaymentLedger
from actors.payment.provider import SimulatedProvider
from tests.support.payments import Obstacle, Services, charge, money_taken, once


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


async def test_a_quick_approval_costs_a_single_commit(
    services: Services, ledger: PaymentLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = []
    monkeypatch.setattr(service, "PENDING_AFTER_S", 10)
    commit = PaymentLedger.apply

    async def counted(self: PaymentLedger, order_id: str, *change: Any) -> Payment:
        commits.append(order_id)
        return await commit(self, order_id, *change)

    monkeypatch.setattr(PaymentLedger, "apply", counted)
    await services().handle(charge())
    assert commits == ["o"]
    assert (await ledger.find("o")).status == "APPROVED"
