"""What a crash left half done is healed by repeating it.

"Crash" is a fresh service on the same databases, at the state that the dead one left behind.
"""

import pytest

from actors.contracts.messages import ChargeRequest, RefundRequest
from actors.payment.ledger import PaymentLedger
from actors.payment.provider import SimulatedProvider
from tests.support.payments import Obstacle, Services, charge, money_taken, provider_says, refund


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
