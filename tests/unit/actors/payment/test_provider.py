"""The simulated provider: one charge a key, whatever is repeated, lost, late or cancelled."""

import asyncio

import pytest

from actors.contracts.errors import Unavailable
from actors.payment.provider import Charge, ChargeStatus, SimulatedProvider
from tests.support.payments import money_taken
from tests.support.waiting import until

APPROVED, DECLINED = ChargeStatus.APPROVED, ChargeStatus.DECLINED
CANCELED = ChargeStatus.CANCELED
SLOW = "tok_slow_100"


async def authorize(provider: SimulatedProvider, token: str, key: str = "o:1") -> Charge:
    return await provider.authorize(key, 4500, "KRW", token)


async def begin_slow_charge(provider: SimulatedProvider) -> asyncio.Task[Charge]:
    """Return the asking task of a slow charge that the provider has begun to work on."""
    asking = asyncio.create_task(authorize(provider, SLOW))
    await until(lambda: "o:1" in provider._slow)
    return asking


@pytest.mark.parametrize("token", ["tok_decline", "", "tok_slow_", "tok_slow_1e3", "4111 1111"])
async def test_declines_any_token_that_it_does_not_know(
    provider: SimulatedProvider, token: str
) -> None:
    assert (await authorize(provider, token)).status == DECLINED
    assert await money_taken(provider) == 0


async def test_answers_the_same_key_with_the_same_charge(provider: SimulatedProvider) -> None:
    answers = await asyncio.gather(*(authorize(provider, "tok_approve") for _ in range(5)))
    answers.append(await authorize(provider, "tok_approve"))

    assert answers == [answers[0]] * 6
    assert answers[0].status == APPROVED
    assert await provider.find("o:1") == answers[0]
    assert await money_taken(provider) == 4500


async def test_finds_nothing_where_nobody_asked(provider: SimulatedProvider) -> None:
    assert await provider.find("o:1") is None


async def test_fails_twice_a_key_even_across_a_restart(
    provider: SimulatedProvider, database_url: str
) -> None:
    with pytest.raises(Unavailable):
        await authorize(provider, "tok_flaky")
    restarted = SimulatedProvider(database_url)
    with pytest.raises(Unavailable):
        await authorize(restarted, "tok_flaky")
    assert await provider.find("o:1") is None

    assert (await authorize(restarted, "tok_flaky")).status == APPROVED
    with pytest.raises(Unavailable):  # each key fails on its own
        await authorize(restarted, "tok_flaky", key="o:2")
    await restarted.close()


async def test_is_always_unavailable_when_told_so(provider: SimulatedProvider) -> None:
    for _ in range(4):
        with pytest.raises(Unavailable):
            await authorize(provider, "tok_unavailable")
    assert await money_taken(provider) == 0


async def test_charges_although_its_reply_is_lost(provider: SimulatedProvider) -> None:
    with pytest.raises(Unavailable) as lost:
        await authorize(provider, "tok_lost_reply")

    assert lost.value.code == "provider_timeout"
    assert await money_taken(provider) == 4500
    charge = await provider.find("o:1")
    assert await authorize(provider, "tok_lost_reply") == charge
    assert await money_taken(provider) == 4500


async def test_undoes_a_charge_for_good(provider: SimulatedProvider) -> None:
    await authorize(provider, "tok_approve")

    await provider.cancel("o:1")
    await provider.cancel("o:1")

    assert (await authorize(provider, "tok_approve")).status == CANCELED
    assert await money_taken(provider) == 0


@pytest.mark.parametrize("token", ["tok_approve", "tok_slow_1", "tok_flaky", "tok_lost_reply"])
async def test_refuses_a_key_that_was_cancelled_before_it_was_seen(
    provider: SimulatedProvider, token: str
) -> None:
    await provider.cancel("o:1")

    assert (await authorize(provider, token)).status == CANCELED
    assert await money_taken(provider) == 0


async def test_a_slow_charge_lands_although_its_caller_gave_up(
    provider: SimulatedProvider,
) -> None:
    impatient = await begin_slow_charge(provider)
    impatient.cancel()

    await until(lambda: provider.find("o:1"))
    assert await money_taken(provider) == 4500


async def test_a_slow_charge_that_is_asked_for_twice_lands_once(
    provider: SimulatedProvider,
) -> None:
    first = await begin_slow_charge(provider)
    assert await authorize(provider, SLOW) == await first
    assert await money_taken(provider) == 4500


async def test_a_slow_charge_that_is_cancelled_meanwhile_never_lands(
    provider: SimulatedProvider,
) -> None:
    slow = await begin_slow_charge(provider)

    await provider.cancel("o:1")

    assert (await slow).status == CANCELED
    assert await money_taken(provider) == 0


async def test_a_cancel_in_the_same_batch_as_the_charge_wins(provider: SimulatedProvider) -> None:
    """All of these ride in at most two transactions; whatever their order, no money is taken."""
    keys = [f"o-{n}:1" for n in range(10)]
    await asyncio.gather(
        *(authorize(provider, "tok_approve", key) for key in keys),
        *(provider.cancel(key) for key in keys),
        *(authorize(provider, "tok_approve", key) for key in keys),
    )
    assert await money_taken(provider) == 0
