"""The application over the whole system, in this process."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from actors.client import AsyncSiren
from actors.settings import Settings
from serve_app.app import build_app
from tests.in_process import in_process


@pytest.fixture
async def siren(tmp_path: Path) -> AsyncIterator[AsyncSiren]:
    async with in_process(Settings(data_dir=tmp_path)) as siren:
        yield siren


@pytest.fixture
async def client(siren: AsyncSiren) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_app(siren, max_in_flight=100))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
