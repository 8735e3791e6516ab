"""The journal of a test, opened once more."""

from collections.abc import AsyncIterator

import pytest

from actors.order.journal import Journal
from tests.support.journals import opened


@pytest.fixture
async def another(database_url: str, journal: Journal) -> AsyncIterator[Journal]:  # noqa: ARG001 - created first
    """The same journal, opened by a second process."""
    async with opened(database_url) as another:
        yield another
