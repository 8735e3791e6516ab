"""A provider that lies is not believed: its answer is none, and the charge is asked for again."""

from typing import Any

import pytest

from actors.contracts.errors import Unavailable
from actors.payment.ledger import PaymentLedger
from actors.payment.provider import Charge, ChargeStatus, SimulatedProvider
from tests.support.payments import Services, charge, money_taken, provider_says

APPROVED, DECLINED = ChargeStatus.APPROVED, ChargeStatus.DECLINED


class Liar:
    """Charges right, and answers what it is told to, once each, before the truth."""

    def __init__(self, behind: SimulatedProvider, *lies: object) -> None:
        self._behind = behind
        self._lies = list(lies)

    async def authorize(self, key: str, amount: int, currency: str, token: str) -> Any:
        truth = await self._behind.authorize(key, amount, currency, token)
        lie = self._lies.pop(0) if self._lies else truth
        if isinstance(lie, Exception):
            raise lie
        return lie

    async def cancel(self, key: str) -> None:
        await self._behind.cancel(key)

    async def find(self, key: str) -> Charge | None:
        return await self._behind.find(key)


@pytest.mark.parametrize(
    "lie",
    [
        Charge("ch", APPROVED, 1, "KRW"),
        Charge("ch", APPROVED, 4500, "USD"),
        Charge("ch", APPROVED, None, None),
        Charge("ch", DECLINED, 4500, "KRW"),
        Charge("ch", "MAYBE", 4500, "KRW"),  # type: ignore[arg-type]
        "<html>502 Bad Gateway</html>",
        None,
        ValueError("no JSON"),
        KeyError("status"),
    ],
    ids=repr,
)
async def test_an_answer_that_cannot_be_right_is_none(
    lie: object, services: Services, provider: SimulatedProvider, ledger: PaymentLedger
) -> None:
    service = services(Liar(provider, lie))
    with pytest.raises(Unavailable) as wrong:
        await service.handle(charge())
    assert wrong.value.code == "provider_wrong_answer"
    assert (await ledger.find("o")).status == "PENDING"

    assert (await service.handle(charge())).status == "APPROVED"
    assert await money_taken(provider) == 4500


async def test_a_decline_that_is_one_is_final(
    services: Services, provider: SimulatedProvider
) -> None:
    service = services(Liar(provider))
    assert (await service.handle(charge("tok_decline"))).status == "DECLINED"
    assert await provider_says(provider) == {"o:1": "DECLINED"}


async def test_the_circuit_opens_before_a_provider_that_gives_nobody_a_right_answer(
    services: Services, provider: SimulatedProvider
) -> None:
    now = 0.0
    lies = ["garbage"] * 2
    service = services(Liar(provider, *lies), breaker_threshold=2, clock=lambda: now)
    for order_id in ("a", "b"):
        with pytest.raises(Unavailable):
            await service.handle(charge(order_id=order_id))
    now = 1.0
    assert service.standing()["circuit"] == "open"
    assert (await service.handle(charge(order_id="c"))).status == "APPROVED"
    assert service.standing()["circuit"] == "closed"
