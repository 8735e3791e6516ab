"""A refund undoes an order's charges for good, in whatever order they come."""

import asyncio
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest

from actors.contracts.errors import Unavailable
from actors.contracts.messages import PaymentReply
from actors.payment.ledger import PaymentLedger
from actors.payment.provider import SimulatedProvider
from tests.support.payments import Obstacle, Services, charge, money_taken, provider_says, refund


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
