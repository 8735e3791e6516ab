"""A journal, and the application over the whole system in this process: for a test, or a file."""

import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from actors.order.journal import Journal
from actors.runtime import sqlite_connections
from actors.settings import Settings
from serve_app.backend import Backend
from serve_app.contract import requests
from serve_app.routes import order_details
from tests.support.compiled_once import compiled_once
from tests.support.in_process import client_of, in_process
from tests.support.journals import opened

PATIENCE_S = 30.0

# httpx looks for it at every request, for trio's sake, and in vain: the search is what takes time.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]

# A busy machine makes no test fail: hypothesis would allow each example 200 ms.
settings.register_profile("all", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fast", settings.get_profile("all"), max_examples=25)
"""A quarter of what hypothesis tries otherwise, for `make test-fast`; `make test` tries all."""
settings.register_profile("soak", settings.get_profile("all"), max_examples=5_000)
"""What `make soak` has the tests try that throw anything at a part of the system."""
settings.load_profile("all")


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """Whoever does not say for how long they wait for an order sees it settled, however busy the
    machine is. The two seconds that users get are for them.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ("place", "pay", "cancel", "start", "ready", "complete", "reject", "erase"):
            command = getattr(Backend, name)
            patch.setattr(command, "__defaults__", (*command.__defaults__[:-1], PATIENCE_S))
        patch.setattr(requests, "DEFAULT_WAIT_S", PATIENCE_S)
        patch.setattr(order_details, "DEFAULT_WAIT_S", PATIENCE_S)
        yield


@pytest.fixture(scope="session", autouse=True)
def sharing_what_is_compiled() -> Iterator[None]:
    with compiled_once():
        yield


@pytest.fixture(scope="session", autouse=True)
def no_power_cut() -> Iterator[None]:
    """Let no commit wait for a disk: what is in the files outlives a process, if not a machine."""
    configure = sqlite_connections._configure

    @wraps(configure)
    def unsynced(connection: Any, _synchronous: str, busy_timeout_s: float) -> None:
        configure(connection, "OFF", busy_timeout_s)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_connections, "_configure", unsynced)
        yield


@pytest.fixture
def power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test see its commits wait for the disk, as users' do."""
    original = sqlite_connections._configure.__wrapped__  # type: ignore[attr-defined]
    monkeypatch.setattr(sqlite_connections, "_configure", original)


@pytest.fixture
async def journal(database_url: str) -> AsyncIterator[Journal]:
    async with opened(database_url) as journal:
        yield journal


@pytest.fixture
async def siren(tmp_path: Path) -> AsyncIterator[Backend]:
    async with in_process(Settings(data_dir=tmp_path)) as siren:
        yield siren


@pytest.fixture
async def client(siren: Backend) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(siren) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_siren(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    """For tests that leave no trace which another test of their file could see."""
    async with in_process(Settings(data_dir=tmp_path_factory.mktemp("data"))) as siren:
        yield siren


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_client(shared_siren: Backend) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(shared_siren) as client:
        yield client


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run whoever shares a system with its file in the file's event loop; sample what is long."""
    in_its_loop = pytest.mark.asyncio(loop_scope="module")
    cases: Counter[str] = Counter()
    for item in items:
        shares = "shared_siren" in getattr(item, "fixturenames", ())
        if shares and pytest_asyncio.is_async_test(item):
            item.add_marker(in_its_loop, append=False)
        if sampled := item.get_closest_marker("sampled"):
            test = item.nodeid.partition("[")[0]
            cases[test] += 1
            if cases[test] > sampled.args[0]:
                item.add_marker("thorough")
