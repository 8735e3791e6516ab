"""A store on SQLite, its clock, and who reads it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.store.queries import StoreQueries
from actors.store.service import StoreService
from tests.support.stores import Clock


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/stores.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(url: str, clock: Clock) -> AsyncIterator[StoreService]:
    service = StoreService(url, clock)
    await service.create()
    yield service
    await service.close()


@pytest.fixture
async def queries(url: str) -> AsyncIterator[StoreQueries]:
    queries = StoreQueries(url)
    yield queries
    await queries.close()
