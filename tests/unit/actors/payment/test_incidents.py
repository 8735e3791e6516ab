"""What the simulated provider does to everybody while its books name an incident."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert

from actors.contracts.errors import Unavailable
from actors.payment import incidents as module
from actors.payment.incidents import Incident
from actors.payment.provider import SimulatedProvider
from actors.payment.provider_tables import incidents
from actors.runtime.clock import to_micros, utc_now
from tests.support.payments import money_taken
from tests.support.waiting import until

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def looked_at_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)


async def begin(provider: SimulatedProvider, kind: str, lasts: timedelta = HOUR) -> None:
    row = {"kind": kind, "until": to_micros(utc_now() + lasts)}
    async with provider.database.write() as connection:
        await connection.execute(insert(incidents), row)


async def seen(provider: SimulatedProvider, incident: Incident | None) -> None:
    await until(lambda: provider._incidents.current() is incident)


async def pay(provider: SimulatedProvider, key: str = "o:1") -> object:
    return await provider.authorize(key, 4500, "KRW", "tok_approve")


async def test_a_failing_provider_refuses_charges_and_refunds(provider: SimulatedProvider) -> None:
    await begin(provider, "failing")
    await seen(provider, Incident.FAILING)
    with pytest.raises(Unavailable):
        await pay(provider)
    with pytest.raises(Unavailable):
        await provider.cancel("o:1")


async def test_a_stalled_provider_charges_once_it_is_over(provider: SimulatedProvider) -> None:
    await begin(provider, "stalled")
    await seen(provider, Incident.STALLED)
    charge = asyncio.create_task(pay(provider))
    await asyncio.sleep(0.05)
    assert not charge.done()
    async with provider.database.write() as connection:
        await connection.execute(delete(incidents))
    assert getattr(await charge, "status", None) == "APPROVED"


async def test_a_lying_provider_takes_the_right_money(provider: SimulatedProvider) -> None:
    await begin(provider, "lying")
    await seen(provider, Incident.LYING)
    lies = [await pay(provider) for _ in range(4)]
    assert len({repr(lie) for lie in lies}) == 4
    assert await money_taken(provider) == 4500


@pytest.mark.parametrize(("kind", "lasts"), [("failing", -HOUR), ("of tomorrow", HOUR)])
async def test_what_is_over_or_unknown_is_no_incident(
    kind: str, lasts: timedelta, provider: SimulatedProvider
) -> None:
    await begin(provider, kind, lasts)
    for _ in range(5):
        assert getattr(await pay(provider), "status", None) == "APPROVED"
        await asyncio.sleep(0.02)
