"""Whoever cancels over HTTP is who the journal says it was, and so is who the story tells of."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from actors.order.telling import story_of
from actors.runtime.clock import utc_now
from cluster.operations.explain import sentences
from serve_app.backend import Backend
from tests.support.http_contract import ORDER
from tests.support.in_process import client_of
from tests.support.tokens import GOOD, MINE, SECRET

UNPAID = ORDER | {"customer": ORDER["customer"] | {"id": MINE.subject}, "payment": None}
WORDS, WISH = {"reason": "the oven burns"}, {"reason": "customer_request"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(shared_siren: Backend) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(shared_siren, token_secret=SECRET) as client:
        yield client


async def canceled(client: httpx.AsyncClient, headers: dict[str, str], **body: Any) -> str:
    placed = await client.post("/orders", json=UNPAID, headers=GOOD["customer"])
    order_id: str = placed.json()["order_id"]
    answer = await client.post(f"/orders/{order_id}/cancel", headers=headers, **body)
    assert answer.status_code == 200, answer.text
    return order_id


@pytest.mark.parametrize(
    ("headers", "body", "by", "reason"),
    [
        (GOOD["owner"], {}, "owner", "owner_request"),
        (GOOD["owner"], {"json": {}}, "owner", "owner_request"),
        (GOOD["owner"], {"json": WORDS}, "owner", "owner_request"),
        (GOOD["owner"], {"json": WISH}, "owner", "customer_request"),
        ({}, {}, "customer", "customer_request"),  # who sits at this machine, and is anybody
        (GOOD["customer"], {}, "customer", "customer_request"),
        (GOOD["customer"], {"json": WORDS}, "customer", "customer_request"),
        (GOOD["service"], {}, "customer", "customer_request"),
    ],
)
async def test_a_cancellation_is_by_whoever_asked_for_it(
    shared_siren: Backend,
    client: httpx.AsyncClient,
    headers: dict[str, str],
    body: dict[str, Any],
    by: str,
    reason: str,
) -> None:
    order_id = await canceled(client, headers, **body)

    history = (await client.get(f"/orders/{order_id}/events", headers=GOOD["customer"])).json()
    assert history["items"][1]["data"] == {"reason": reason, "by": by}
    told = (await client.get(f"/orders/{order_id}/story", headers=GOOD["owner"])).json()
    assert told["happened"][1]["by"] == by
    story = await story_of(shared_siren.journal, order_id)
    assert any(f"cancelled ({reason}), by {by}" in line for line in sentences(story, utc_now()))


async def test_a_customer_cannot_pass_for_the_owner(client: httpx.AsyncClient) -> None:
    placed = await client.post("/orders", json=UNPAID, headers=GOOD["customer"])
    path = f"/orders/{placed.json()['order_id']}/cancel"
    body = {"reason": "owner_request"}
    for caller in ("customer", "service"):
        refused = await client.post(path, json=body, headers=GOOD[caller])
        assert (refused.status_code, refused.json()["code"]) == (422, "reserved_reason")
