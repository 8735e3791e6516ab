"""Every route × everybody: who may call what, and that what is foreign does not exist."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import APIRouter

from actors.settings import Settings
from serve_app.app import build_app
from serve_app.backend import Backend
from serve_app.routing.access_route import AccessRoute, PageRoute, PublicRoute
from tests.support.http_contract import CARD, ORDER, UNPAID
from tests.support.in_process import client_of, in_process
from tests.support.tokens import BAD, GOOD, MINE, SECRET

# Whatever is changed here is put back or belongs to one test, so all share one system.
pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN = "0" * 32
ROLES = ("customer", "other customer", "staff", "other staff", "owner", "service")
OPEN = (200,) * 6
# Method and path; then what each caller gets, in the order of ROLES, for an order of the customer
# at the staff's store that is PICKED_UP: 409 is a "no" of the business, past every check.
TABLE: dict[tuple[str, str], tuple[int, ...]] = {
    ("POST", "/orders"): (201, 403, 403, 403, 201, 201),
    ("GET", "/orders/{order_id}"): (200, 404, 200, 404, 200, 200),
    ("DELETE", "/orders/{order_id}"): (409, 404, 403, 403, 409, 409),
    ("POST", "/orders/{order_id}/payment"): (409, 404, 403, 403, 409, 409),
    ("POST", "/orders/{order_id}/cancel"): (409, 404, 403, 403, 409, 409),
    ("GET", "/orders/{order_id}/events"): (200, 404, 200, 404, 200, 200),
    ("GET", "/orders/{order_id}/story"): (403, 403, 403, 403, 200, 403),
    ("GET", "/orders/{order_id}/stream"): (200, 404, 200, 404, 200, 200),
    ("GET", "/order-details"): OPEN,
    ("GET", "/order-details/{order_id}"): (200, 404, 200, 404, 200, 200),
    ("GET", "/pickups"): (403, 403, 200, 200, 200, 200),
    ("POST", "/pickups/{order_id}/start"): (403, 403, 409, 404, 409, 409),
    ("POST", "/pickups/{order_id}/ready"): (403, 403, 409, 404, 409, 409),
    ("POST", "/pickups/{order_id}/complete"): (403, 403, 200, 404, 200, 200),
    ("POST", "/pickups/{order_id}/reject"): (403, 403, 409, 404, 409, 409),
    ("GET", "/payments"): (200, 200, 403, 403, 200, 200),
    ("GET", "/payments/{payment_id}"): (200, 404, 403, 403, 200, 200),
    ("GET", "/stores"): OPEN,
    ("GET", "/stores/{store_id}"): OPEN,
    ("GET", "/stores/{store_id}/menu"): OPEN,
    ("PATCH", "/stores/{store_id}"): (403, 403, 200, 403, 200, 200),
    ("PATCH", "/stores/{store_id}/menu/{menu_id}"): (403, 403, 200, 403, 200, 200),
}
PUBLIC = {
    ("GET", "/session"): 200,
    ("POST", "/session"): 201,
    ("GET", "/"): 200,
    ("GET", "/healthz"): 200,
    ("GET", "/readyz"): 503,  # there is no Ray here
    ("GET", "/docs"): 200,
    ("GET", "/docs/{name}"): 200,
    ("GET", "/my"): 200,
    ("GET", "/my/{order_id}"): 200,
    ("GET", "/board/{store_id}"): 200,
    ("GET", "/owner/payments"): 200,
    ("GET", "/owner/order-details"): 200,
    ("GET", "/sign-in"): 200,
    ("GET", "/openapi.json"): 200,
    ("GET", "/static/{name}"): 200,
}
PUBLIC_IDS = {"order_id": UNKNOWN, "store_id": "gangnam", "name": "style.css"}
MY_ORDER = ORDER | {"customer": ORDER["customer"] | {"id": MINE.subject}}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/orders"): MY_ORDER,
    ("POST", "/orders/{order_id}/payment"): CARD,
    ("POST", "/pickups/{order_id}/reject"): {"reason": "spilt"},
    ("PATCH", "/stores/{store_id}"): {"open": True},
    ("PATCH", "/stores/{store_id}/menu/{menu_id}"): {"sold_out": False},
}
WITH_AN_ID = [route for route in TABLE if "order_id" in route[1] or "payment_id" in route[1]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def siren(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"), auth="required", rate_limit="999999/second"
    )
    async with in_process(settings) as siren:
        yield siren


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(siren: Backend) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(siren, token_secret=SECRET) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ids(client: httpx.AsyncClient) -> dict[str, str]:
    """The customer's finished order at gangnam, and what belongs to it."""
    placed = await client.post("/orders", json=MY_ORDER, headers=GOOD["customer"])
    order_id = placed.json()["order_id"]
    for button in ("start", "ready", "complete"):
        await client.post(f"/pickups/{order_id}/{button}", headers=GOOD["staff"])
    await client.get(f"/order-details/{order_id}", params={"min_version": 7}, headers=GOOD["owner"])
    return {
        "order_id": order_id,
        "payment_id": placed.json()["payment_id"],
        "store_id": "gangnam",
        "menu_id": "latte",
    }


async def call(
    client: httpx.AsyncClient, route: tuple[str, str], ids: dict[str, str], headers: dict[str, str]
) -> httpx.Response:
    method, path = route
    return await client.request(method, path.format(**ids), json=BODIES.get(route), headers=headers)


async def test_the_table_has_every_route(siren: Backend) -> None:
    app = build_app(siren, max_in_flight=1)
    found: dict[type, set[tuple[str, str]]] = {AccessRoute: set(), PublicRoute: set()}
    for route in app.routes:
        assert isinstance(route, AccessRoute | PublicRoute | PageRoute)
        kind = AccessRoute if isinstance(route, AccessRoute) else PublicRoute
        methods = (route.methods or set()) - {"HEAD"}  # it may be sent wherever GET may
        found[kind] |= {(method, route.path_format) for method in methods}
    assert found == {AccessRoute: set(TABLE), PublicRoute: set(PUBLIC)}


def test_a_route_that_does_not_say_who_may_call_it_cannot_be_made() -> None:
    router = APIRouter(route_class=AccessRoute)

    async def forgotten() -> None:
        """Do something."""

    with pytest.raises(TypeError, match="forgotten does not say who may call it"):
        router.get("/forgotten")(forgotten)


@pytest.mark.parametrize("route", TABLE, ids=" ".join)
async def test_each_role_gets_what_the_table_says(
    client: httpx.AsyncClient, ids: dict[str, str], route: tuple[str, str]
) -> None:
    answers = [await call(client, route, ids, GOOD[role]) for role in ROLES]
    assert tuple(answer.status_code for answer in answers) == TABLE[route]
    for answer in answers:
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
        if answer.status_code == 403:
            assert answer.json()["code"] in ("forbidden", "foreign_customer")


@pytest.mark.parametrize("route", TABLE, ids=" ".join)
async def test_whoever_proves_nothing_gets_nothing(
    client: httpx.AsyncClient, ids: dict[str, str], route: tuple[str, str]
) -> None:
    """Not even a hint whether the id exists, the body is valid or the path is theirs."""
    for name, headers in BAD.items():
        for given in (ids, dict.fromkeys(ids, UNKNOWN)):
            answer = await call(client, route, given, headers)
            assert answer.status_code == 401, name
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"].startswith("Bearer"), name
            assert answer.json()["code"] == "unauthenticated"


@pytest.mark.parametrize("route", PUBLIC, ids=" ".join)
async def test_what_is_open_is_open_to_all(
    client: httpx.AsyncClient, route: tuple[str, str]
) -> None:
    for headers in ({}, *GOOD.values()):
        assert (await call(client, route, PUBLIC_IDS, headers)).status_code == PUBLIC[route]


@pytest.mark.parametrize("route", WITH_AN_ID, ids=" ".join)
@pytest.mark.parametrize("other", ["other customer", "other staff"])
async def test_what_is_foreign_is_answered_like_what_does_not_exist(
    client: httpx.AsyncClient, ids: dict[str, str], route: tuple[str, str], other: str
) -> None:
    foreign = await call(client, route, ids, GOOD[other])
    unknown = await call(client, route, dict.fromkeys(ids, UNKNOWN), GOOD[other])
    assert (foreign.status_code, foreign.content) == (unknown.status_code, unknown.content)
    assert foreign.headers == unknown.headers


@pytest.mark.parametrize("other", ["other customer", "other staff"])
async def test_waiting_for_a_version_does_not_tell_either(
    client: httpx.AsyncClient, ids: dict[str, str], other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waited only for what does not exist would tell the two apart by the clock."""

    async def must_not_wait(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("readmodel.queries.Watcher.wait_beyond", must_not_wait)
    wanted = {"min_version": 99}
    answers = [
        await client.get(f"/order-details/{order_id}", params=wanted, headers=GOOD[other])
        for order_id in (ids["order_id"], UNKNOWN)
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("button", ["start", "ready", "complete"])
async def test_a_refused_button_changes_nothing(client: httpx.AsyncClient, button: str) -> None:
    placed = await client.post("/orders", json=MY_ORDER, headers=GOOD["customer"])
    path = f"/pickups/{placed.json()['order_id']}/{button}"
    for caller in ("customer", "other staff"):
        assert (await client.post(path, headers=GOOD[caller])).status_code in (403, 404)
    after = await client.get(placed.headers["location"], headers=GOOD["customer"])
    assert after.json()["version"] == placed.json()["version"]


async def test_a_customer_orders_in_no_other_name(client: httpx.AsyncClient) -> None:
    refused = await client.post("/orders", json=UNPAID, headers=GOOD["customer"])
    assert (refused.status_code, refused.json()["code"]) == (403, "foreign_customer")
    assert (await client.post("/orders", json=UNPAID, headers=GOOD["service"])).status_code == 201


@pytest.mark.parametrize(
    ("path", "caller", "mine", "foreign"),
    [
        ("/order-details", "customer", {"customer_id": MINE.subject}, {"customer_id": "c-17"}),
        ("/order-details", "staff", {"store_id": "gangnam"}, {"store_id": "pangyo"}),
        ("/order-details", "staff", {"order_status": "PICKED_UP"}, {"store_id": "nowhere"}),
        ("/pickups", "staff", {"store_id": "gangnam"}, {"store_id": "pangyo"}),
        ("/payments", "customer", {"status": "APPROVED"}, {"order_id": UNKNOWN}),
    ],
)
async def test_lists_show_what_is_in_scope_whatever_is_asked_for(
    client: httpx.AsyncClient,
    ids: dict[str, str],
    path: str,
    caller: str,
    mine: dict[str, str],
    foreign: dict[str, str],
) -> None:
    elsewhere = MY_ORDER | {"store_id": "pangyo", "customer": UNPAID["customer"]}
    placed = (await client.post("/orders", json=elsewhere, headers=GOOD["owner"])).json()
    seen = {"min_version": placed["version"]}
    await client.get(f"/order-details/{placed['order_id']}", params=seen, headers=GOOD["owner"])

    everything = await client.get(path, headers=GOOD["owner"])
    assert placed["order_id"] in everything.text
    for filters in ({}, mine):
        page = (await client.get(path, params=filters, headers=GOOD[caller])).json()
        shown = {item["order_id"] for item in page["items"]}
        assert ids["order_id"] in shown
        assert placed["order_id"] not in shown
    nothing = await client.get(path, params=foreign, headers=GOOD[caller])
    assert nothing.json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("path", ["/order-details", "/payments"])
async def test_whoever_never_ordered_sees_an_empty_list(
    client: httpx.AsyncClient, ids: dict[str, str], path: str
) -> None:
    assert ids
    page = await client.get(path, headers=GOOD["other customer"])
    assert page.json() == {"items": [], "next_cursor": None}


async def test_a_stream_ends_with_its_token(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = await client.post(
        "/orders", json=MY_ORDER | {"payment": None}, headers=GOOD["customer"]
    )
    assert placed.status_code == 201
    monkeypatch.setattr("serve_app.routes.order_stream.Follower.patience", lambda _: 0.0)
    path = f"/orders/{placed.json()['order_id']}/stream"
    response = await client.get(path, headers=GOOD["customer"])
    assert (response.status_code, response.text) == (200, "")
