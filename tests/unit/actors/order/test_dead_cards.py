"""Orders whose cards fail for ever, in the whole saga: everybody else is served meanwhile."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from actors.contracts.values import PrivateData
from actors.order.domain import commands as cmd
from actors.order.domain.order import fold
from actors.payment.provider import Charge
from actors.runtime import circuit
from actors.settings import Settings
from tests.support.orders import LINES
from tests.support.services import InProcess
from tests.support.waiting import until

HELD_UP_S = 30.0
"""What nobody has to wait longer than, on a slow machine too."""


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with InProcess(Settings(data_dir=tmp_path, provider_timeout_s=0.5)) as system:
        yield system


@pytest.fixture
def tries(system: InProcess, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the provider was asked for each charge."""
    asked: Counter[str] = Counter()
    authorize = system.provider.authorize

    async def counted(key: str, amount: int, currency: str, token: str) -> Charge:
        asked[key] += 1
        return await authorize(key, amount, currency, token)

    monkeypatch.setattr(system.provider, "authorize", counted)
    return asked


@pytest.fixture
def place_dead(
    system: InProcess, tries: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, int], Awaitable[list[str]]]:
    """Place orders whose cards are dead; return their ids once each has failed, some more often."""

    async def placed(token: str, count: int) -> list[str]:
        # A slow machine, too, shall have tried all of them before the circuit opens.
        monkeypatch.setattr(circuit, "SILENCE_S", 3600)
        dead = [await system.place(token, wait=0) for _ in range(count)]
        standing = system.payments.standing
        await until(
            lambda: standing()["orders_failing"] == count and max(tries.values()) >= 2, within=60
        )
        monkeypatch.setattr(circuit, "SILENCE_S", 0)
        assert system.payments.standing()["circuit"] == "open"
        return dead

    return placed


async def status(system: InProcess, order_id: str) -> str:
    order = fold((await system.journal.load(order_id)).events)
    assert order is not None
    return str(order.status)


@pytest.mark.parametrize(
    ("token", "count"), [("tok_unavailable", 10), ("tok_unavailable", 200), ("tok_slow_60000", 50)]
)
async def test_good_cards_and_refunds_pass_orders_with_dead_cards(
    system: InProcess,
    place_dead: Callable[[str, int], Awaitable[list[str]]],
    token: str,
    count: int,
) -> None:
    paid = await system.place()
    dead = await place_dead(token, count)

    for _ in range(3):
        async with asyncio.timeout(HELD_UP_S):
            assert await status(system, await system.place(wait=HELD_UP_S)) == "ACCEPTED"
    async with asyncio.timeout(HELD_UP_S):
        await system.do(paid, cmd.CancelOrder, reason="changed my mind", wait=HELD_UP_S)
    assert await status(system, paid) == "CANCELED"

    async with asyncio.timeout(60):
        for order_id in dead:
            await system.do(order_id, cmd.CancelOrder, reason="changed my mind")
        await system.settle()
    assert await status(system, dead[-1]) == "CANCELED"


async def test_a_first_customer_is_served_although_all_before_had_dead_cards(
    system: InProcess, place_dead: Callable[[str, int], Awaitable[list[str]]]
) -> None:
    """Nothing has shown yet that the provider is up."""
    await place_dead("tok_unavailable", 100)
    async with asyncio.timeout(HELD_UP_S):
        assert await status(system, await system.place(wait=HELD_UP_S)) == "ACCEPTED"


async def test_all_who_waited_are_served_soon_after_the_provider_is_back(
    system: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = True
    authorize = system.provider.authorize

    async def answer(key: str, amount: int, currency: str, token: str) -> Charge:
        return await authorize(key, amount, currency, "tok_unavailable" if down else token)

    monkeypatch.setattr(system.provider, "authorize", answer)
    waiting = [await system.place(wait=0) for _ in range(40)]
    await until(lambda: system.payments.standing()["circuit"] == "open", within=60)
    assert {await status(system, order_id) for order_id in waiting} == {"PLACED"}

    down = False
    async with asyncio.timeout(60):
        await system.settle()

    assert {await status(system, order_id) for order_id in waiting} == {"ACCEPTED"}
    assert system.payments.standing()["circuit"] == "closed"


async def test_an_order_whose_card_is_dead_is_cancelled_at_its_payment_deadline(
    system: InProcess,
) -> None:
    order_id, now = uuid4().hex, datetime.now(UTC)
    await system.send(
        order_id,
        cmd.PlaceOrder(
            id=uuid4().hex,
            customer_id="c-17",
            store_id="gangnam",
            lines=LINES,
            currency="KRW",
            body_hash="hash",
            payment_due=now + timedelta(seconds=1),
            pay=True,
            private=PrivateData("영욱", "010-1234-5678", "tok_unavailable"),
        ),
        wait=0,
    )

    async def canceled() -> bool:
        return await status(system, order_id) == "CANCELED"

    async with asyncio.timeout(60):
        await system.settle()
        await until(canceled, within=60)
