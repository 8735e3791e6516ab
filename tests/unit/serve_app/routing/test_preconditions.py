"""Preconditions, on every route: 412 before anything is done, where nothing else is wrong."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.routing import Route

from serve_app.backend import Backend
from serve_app.routes import ROUTERS
from tests.support.http_contract import CARD, COMMANDS, ORDER, READS, UNPAID, placed
from tests.support.in_process import client_of
from tests.support.tokens import GOOD, SECRET

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLS = sorted(
    (method, route.path)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, Route) and route.path != "/readyz"  # 503: there is no Ray here
    for method in (route.methods or ())
)
BODIES: dict[str, Any] = {
    "/orders": UNPAID,
    "/orders/{order_id:id}/payment": CARD,
    "/pickups/{order_id:id}/reject": {"reason": "x"},
    "/stores/{store_id:id}": {"capacity": 1000},
    "/stores/{store_id:id}/menu/{menu_id:id}": {"price": 9900},
}
SEEN = [
    "/order-details?customer_id=c-17&limit=200",
    "/payments",
    "/pickups",
    "/stores",
    "/stores/gangnam/menu",
]
LONG_AGO = "Sat, 01 Jan 2000 00:00:00 GMT"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(shared_siren: Backend) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(shared_siren, token_secret=SECRET) as client:
        yield client


async def address(client: httpx.AsyncClient, path: str) -> str:
    """Return an address of a route that leads to something that exists, an order just placed."""
    ids = {"store_id": "gangnam", "menu_id": "latte", "name": "style.css"}
    if "{order_id" in path or "{payment_id" in path:
        order = await seen(client, UNPAID if "{order_id" in path else ORDER)
        ids |= {"order_id": order["order_id"], "payment_id": order["payment_id"]}
    return re.sub(r"\{(\w+):id\}", lambda found: ids[found[1]], path)


async def seen(client: httpx.AsyncClient, order: dict[str, Any]) -> dict[str, Any]:
    """Place an order and return it once the view has it, and all that happened before it."""
    order_id = await placed(client, order)
    detail: dict[str, Any] = (await client.get(f"/orders/{order_id}")).json()
    version = {"min_version": detail["version"]}
    assert (await client.get(f"/order-details/{order_id}", params=version)).json() == detail
    return detail


async def everything(client: httpx.AsyncClient) -> list[Any]:
    """Return what can be seen, without the order that shows that nothing more is to come."""
    await seen(client, UNPAID | {"customer": UNPAID["customer"] | {"id": "last"}})
    return [(await client.get(path)).json() for path in SEEN]


def assert_unmet(response: httpx.Response) -> None:
    assert response.status_code == 412, response.text
    if response.request.method != "HEAD":
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["code"] == "precondition_failed"


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_tag_that_must_match_stops_a_request_before_anything_is_done(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    there = await address(client, path)
    before = await everything(client)
    response = await client.request(
        method, there, json=BODIES.get(path), headers={"If-Match": '"another"'}
    )
    assert_unmet(response)
    assert await everything(client) == before


@pytest.mark.parametrize(("method", "path"), [each for each in CALLS if "stream" not in each[1]])
async def test_whatever_there_is_stops_nothing_that_exists(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    usual, conditional = [
        await client.request(
            method, await address(client, path), json=BODIES.get(path), headers=headers
        )
        for headers in ({}, {"If-Match": "*"})
    ]
    assert conditional.status_code == usual.status_code
    assert usual.is_success or path.startswith("/pickups/")  # an order that waits to be paid


@pytest.mark.parametrize(("method", "path", "body"), [*COMMANDS, *READS])
async def test_what_does_not_exist_is_404_all_the_same(
    client: httpx.AsyncClient, method: str, path: str, body: Any
) -> None:
    for value in ("*", '"x"'):
        response = await client.request(
            method, path.format(id="nobody"), json=body, headers={"If-Match": value}
        )
        assert response.status_code == 404


@pytest.mark.parametrize(
    ("values", "status"),
    [
        (["*"], 200),
        ([" * "], 200),
        (['"x"'], 412),
        (['W/"x"'], 412),
        (['"x", "y"'], 412),
        (['"x"', '"y"'], 412),
        (["x"], 412),
        (['"x'], 412),
        ([""], 412),
        (['*, "x"'], 412),
        (['"*"'], 412),
    ],
)
async def test_only_a_star_is_met_since_no_tag_here_is_strong(
    client: httpx.AsyncClient, values: list[str], status: int
) -> None:
    headers = [("If-Match", value) for value in values]
    item = "/stores/gangnam/menu/latte"
    for method, path, body in (("GET", "/stores", None), ("PATCH", item, {"sold_out": False})):
        response = await client.request(method, path, json=body, headers=headers)
        assert response.status_code == status


@pytest.mark.parametrize("weak", [True, False])
async def test_the_tag_that_was_read_does_not_match_strongly(
    client: httpx.AsyncClient, *, weak: bool
) -> None:
    tag = (await client.get("/stores/gangnam")).headers["etag"]
    headers = {"If-Match": tag if weak else tag.removeprefix("W/")}
    assert_unmet(await client.patch("/stores/gangnam", json={"open": False}, headers=headers))
    assert (await client.get("/stores/gangnam")).json()["open"] is True
    # It is looked at before what would make it 304.
    assert_unmet(await client.get("/stores/gangnam", headers=headers | {"If-None-Match": tag}))
    page = (await client.get("/")).headers["etag"]
    assert_unmet(await client.get("/", headers={"If-Match": page, "If-None-Match": page}))


async def test_an_order_that_was_stopped_may_be_placed_with_its_key(
    client: httpx.AsyncClient,
) -> None:
    key = {"Idempotency-Key": "stopped"}
    assert_unmet(await client.post("/orders", json=ORDER, headers=key | {"If-Match": '"x"'}))
    again = await client.post("/orders", json=ORDER, headers=key)
    assert (again.status_code, "idempotency-replayed" in again.headers) == (201, False)


async def test_what_is_wrong_without_the_condition_is_told_first(
    client: httpx.AsyncClient,
) -> None:
    unmet, order_id = {"If-Match": '"x"'}, await placed(client, UNPAID)
    stranger = unmet | {"Host": "evil.example"}
    for status, path, headers in (
        (401, f"/orders/{order_id}/cancel", stranger),
        (403, f"/pickups/{order_id}/start", unmet | GOOD["customer"]),
        (404, f"/orders/{order_id}/cancel", unmet | GOOD["customer"]),
        (406, f"/orders/{order_id}/cancel", unmet | {"Accept": "image/png"}),
        (422, f"/orders/{order_id}/cancel?x=1", unmet),
    ):
        assert (await client.post(path, headers=headers)).status_code == status
    other = await client.patch("/stores/jeju", json={}, headers=unmet | GOOD["staff"])
    assert other.status_code == 403
    assert (await client.get("/order-details?limit=0", headers=unmet)).status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/stores/{store_id:id}", {"capacity": None}),
        ("PATCH", "/stores/{store_id:id}/menu/{menu_id:id}", {"sold_out": False}),
        ("DELETE", "/orders/{order_id:id}", {}),
    ],
)
async def test_what_must_not_be_there_is_not_changed(
    client: httpx.AsyncClient, method: str, path: str, body: Any
) -> None:
    there = await address(client, path)
    before = await everything(client)
    for value in ("*", 'W/"x", *'):
        headers = {"If-None-Match": value}
        assert_unmet(await client.request(method, there, json=body, headers=headers))
    assert await everything(client) == before
    headers = {"If-None-Match": 'W/"another"'}
    assert (await client.request(method, there, json=body, headers=headers)).status_code == 200


@pytest.mark.parametrize("path", ["/stores/{store_id:id}", "/orders/{order_id:id}"])
async def test_a_tag_that_was_read_must_not_be_there_either(
    client: httpx.AsyncClient, path: str
) -> None:
    there = await address(client, path)
    tag = (await client.get(there)).headers["etag"]
    method, body = ("PATCH", {"open": False}) if "store" in path else ("DELETE", {})
    for known in (tag, tag.removeprefix("W/"), f'"x", {tag}'):
        headers = {"If-None-Match": known}
        assert_unmet(await client.request(method, there, json=body, headers=headers))
    assert (await client.get(there)).headers["etag"] == tag


async def test_an_action_has_nothing_that_must_not_be_there(client: httpx.AsyncClient) -> None:
    order_id = await placed(client, UNPAID)
    headers = {"If-None-Match": "*"}
    answer = await client.post(f"/orders/{order_id}/cancel", headers=headers)
    assert (answer.status_code, answer.json()["order_status"]) == (200, "CANCELED")


@pytest.mark.parametrize("name", ["If-Unmodified-Since", "If-Modified-Since"])
async def test_what_has_no_date_is_compared_with_none(client: httpx.AsyncClient, name: str) -> None:
    for path in ("/stores/gangnam", "/", "/static/style.css"):
        read = await client.get(path, headers={name: LONG_AGO})
        assert (read.status_code, "last-modified" in read.headers) == (200, False)
    changed = await client.patch(
        "/stores/gangnam", json={"capacity": None}, headers={name: LONG_AGO}
    )
    assert changed.status_code == 200


async def test_a_page_is_known_by_its_tag_however_it_is_sent(client: httpx.AsyncClient) -> None:
    for path in ("/", "/static/style.css", "/docs"):
        tag = (await client.get(path)).headers["etag"]
        for known in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
            again = await client.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
        twice = [("If-None-Match", '"x"'), ("If-None-Match", tag)]
        assert (await client.get(path, headers=twice)).status_code == 304
        assert (await client.get(path, headers={"If-None-Match": '"x"'})).status_code == 200
