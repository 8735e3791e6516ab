"""Whoever calls whatever, as documented or not, is answered as the OpenAPI document says."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from actors.settings import Settings
from serve_app.app import build_app
from serve_app.contract import requests
from serve_app.readiness import Readiness
from serve_app.routes import order_details
from tests.support.documented_calls import MODES, DocumentedCalls
from tests.support.http_contract import ORDER, UNPAID, placed
from tests.support.in_process import client_of, in_process
from tests.support.tokens import GOOD, SECRET

pytestmark = pytest.mark.asyncio(loop_scope="module")

FEWER = settings(max_examples=settings().max_examples // 4)
BRIEFLY_S = 0.05
CALLERS = {name: GOOD[name] for name in ("customer", "staff", "owner", "service")} | {"nobody": {}}
Ids = list[dict[str, str]]


async def nothing_missing() -> list[str]:
    """As where Ray runs, which is asked otherwise."""
    return []


@pytest.fixture(scope="module", autouse=True)
def brief_waits() -> Iterator[None]:
    """Do not wait for a version that nobody will write, nor for an order to settle."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (requests, order_details):
            patch.setattr(module, "DEFAULT_WAIT_S", BRIEFLY_S)
        yield


class Shop:
    """A system, its document, and what it has: ids that exist, in several states."""

    def __init__(self, calls: DocumentedCalls, ids: Ids) -> None:
        self.calls = calls
        self.ids = ids


@asynccontextmanager
async def opened(folder: Path, headers: dict[str, str], **demands: str) -> AsyncIterator[Shop]:
    async with in_process(Settings(data_dir=folder).model_copy(update=demands)) as siren:
        app = build_app(siren, 100, SECRET)
        app.state.readiness = Readiness(nothing_missing)
        async with client_of(siren, token_secret=SECRET) as client:
            client.headers.update(headers)
            orders = [await placed(client, order) for order in (UNPAID, ORDER, ORDER)]
            await client.post(f"/pickups/{orders[2]}/start")
            paid = (await client.get(f"/orders/{orders[1]}")).json()
        things = {"store_id": "gangnam", "menu_id": "latte", "payment_id": paid["payment_id"]}
        yield Shop(
            DocumentedCalls(app, open=not headers),
            [{}, *({"order_id": each} | things for each in orders)],
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def public(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """Where everybody has to say who they are."""
    folder = tmp_path_factory.mktemp("public")
    demands = {"auth": "required", "rate_limit": "1000000/hour"}
    async with opened(folder, GOOD["service"], **demands) as shop:
        yield shop


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def own(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """On a loopback address, where nobody needs a token."""
    async with opened(tmp_path_factory.mktemp("own"), {}) as shop:
        yield shop


async def test_what_lies_at_a_bound_or_just_beyond_is_answered_as_documented(
    public: Shop,
) -> None:
    callers, ids = cycle(CALLERS.values()), cycle(public.ids)
    tried = 0
    for case in public.calls.boundaries():
        await public.calls.make(case, next(callers), next(ids))
        tried += 1
    assert tried > 500


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("caller", CALLERS)
@settings(FEWER)
@given(data=st.data())
async def test_any_call_is_answered_as_documented(
    public: Shop, caller: str, mode: GenerationMode, data: st.DataObject
) -> None:
    case = data.draw(public.calls.any[mode])
    await public.calls.make(case, CALLERS[caller], data.draw(st.sampled_from(public.ids)))


@pytest.mark.parametrize("mode", MODES)
@settings(FEWER)
@given(data=st.data())
async def test_any_call_of_whoever_sits_at_the_machine_is_answered_as_documented(
    own: Shop, mode: GenerationMode, data: st.DataObject
) -> None:
    case = data.draw(own.calls.any[mode])
    await own.calls.make(case, {}, data.draw(st.sampled_from(own.ids)))
