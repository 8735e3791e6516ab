"""The ledger of payments, on the database of the test."""

from collections.abc import AsyncIterator

import pytest

from actors.payment.ledger import PaymentLedger


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[PaymentLedger]:
    ledger = PaymentLedger(database_url)
    await ledger.database.create_tables()
    yield ledger
    await ledger.close()
