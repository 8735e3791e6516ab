"""The ledger of payments and the simulated provider, on the database of the test."""

from collections.abc import AsyncIterator

import pytest

from actors.payment.ledger import PaymentLedger
from actors.payment.provider import SimulatedProvider


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[PaymentLedger]:
    ledger = PaymentLedger(database_url)
    await ledger.database.create_tables()
    yield ledger
    await ledger.close()


@pytest.fixture
def provider_url(database_url: str) -> str:
    return database_url


@pytest.fixture
async def provider(provider_url: str) -> AsyncIterator[SimulatedProvider]:
    provider = SimulatedProvider(provider_url)
    await provider.database.create_tables()
    yield provider
    await provider.close()
