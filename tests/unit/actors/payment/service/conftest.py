"""Payment services in front of a provider whose answers can be held back."""

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from actors.payment.ledger import PaymentLedger
from actors.payment.provider import PaymentProvider, SimulatedProvider
from actors.payment.service import PaymentService
from tests.support.payments import Obstacle, Services


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite alone: that the SQL speaks both dialects is tested with provider and queries."""
    return f"sqlite+aiosqlite:///{tmp_path}/payments.db"


@pytest.fixture
def provider_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/provider.db"


@pytest.fixture
def obstacle(provider: SimulatedProvider) -> Obstacle:
    return Obstacle(provider)


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
