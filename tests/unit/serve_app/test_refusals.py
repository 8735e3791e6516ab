"""What is wrong with a request is named, in a problem document."""

from collections.abc import AsyncIterator

import httpx
import pytest

from actors.contracts.errors import Unavailable
from serve_app import readiness
from serve_app.backend import Backend
from serve_app.middleware.request_body import MAX_BODY
from tests.support.cursors import by_hand
from tests.support.http_contract import CARD, COMMANDS, ORDER, READS, UNPAID, changed, placed


@pytest.fixture(scope="module")
def siren(shared_siren: Backend) -> Backend:
    return shared_siren


@pytest.fixture(scope="module")
def client(shared_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Nothing here leaves a trace that another test could see."""
    return shared_client


def errors_of(response: httpx.Response) -> list[str]:
    """Return the pointers of a 422."""
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert {"type", "title", "status", "detail", "code", "errors"} <= set(problem)
    assert all(error["detail"] for error in problem["errors"])
    return [error["pointer"] for error in problem["errors"]]


LINE = {"menu_id": "latte", "quantity": 1}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/customer/id", ""),
        ("/customer/id", "c" * 65),
        ("/customer/id", 17),
        ("/customer/name", "영" * 41),
        ("/customer/name", "nul\x00"),
        ("/customer/name", "two\nlines"),
        ("/customer/name", None),
        ("/customer/tel", "0" * 33),
        ("/customer/vip", True),
        ("/store_id", "no-such-store"),
        ("/store_id", "강남"),
        ("/store_id", "x" * 70_00),
        ("/items", []),
        ("/items", [LINE] * 51),
        ("/items", {}),
        ("/items/0/menu_id", "unicorn"),
        ("/items/0/quantity", 0),
        ("/items/0/quantity", 100),
        ("/items/0/quantity", 10**400),
        ("/items/0/quantity", 1.5),
        ("/items/0/quantity", "2"),
        ("/items/0/quantity", True),
        ("/items/1/price", 1),
        ("/payment/method", "cash"),
        ("/payment/token", ""),
        ("/payment/token", "t" * 256),
        ("/payment/token", "tok approve"),
        ("/coupon~50/%", 1),
    ],
)
async def test_an_order_that_is_not_valid_names_the_field(
    client: httpx.AsyncClient, pointer: str, value: object
) -> None:
    if pointer.startswith("/coupon"):  # a name that a JSON pointer has to escape
        response = await client.post("/orders", json=ORDER | {"coupon~50/%": value})
        assert errors_of(response) == ["/coupon~050~1%"]
        return
    assert errors_of(await client.post("/orders", json=changed(pointer, value))) == [pointer]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"order"',
        b"\xff\xfe",
        b'{"customer": {"id": "\xed\xa0\x80"}}',
        b'{"store_id": "\\ud800"}',
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b"1e999",
        b"9" * 60_000,
        b"NaN",
    ],
)
async def test_a_body_that_is_no_order_is_refused_as_a_whole(
    client: httpx.AsyncClient, body: bytes
) -> None:
    assert errors_of(await client.post("/orders", content=body)) == [""]


async def test_a_body_that_grows_too_large_is_not_read_to_its_end(
    client: httpx.AsyncClient,
) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b" " * (MAX_BODY // 4)

    response = await client.post("/orders", content=chunks())

    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert sent < 10


@pytest.mark.parametrize("key", ["", " ", "k" * 256, "two words", "키"])
async def test_a_key_that_is_not_visible_ascii_is_refused(
    client: httpx.AsyncClient, key: str
) -> None:
    response = await client.post("/orders", json=ORDER, headers={b"Idempotency-Key": key.encode()})

    assert errors_of(response) == ["/Idempotency-Key"]


async def test_two_keys_are_refused(client: httpx.AsyncClient) -> None:
    keys = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]

    assert errors_of(await client.post("/orders", json=ORDER, headers=keys)) == ["/Idempotency-Key"]


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=1", "wait=1"),
        ("WAIT = 7", "wait=7"),
        ('wait="3"; x=y', "wait=3"),
        ("respond-async", "respond-async"),
        ("respond-async, wait=5", "wait=5"),
        ("wait=31", "wait=30"),
        ("wait=" + "9" * 5000, "wait=30"),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("wait=", None),
        ("return=minimal", None),
        ("wait", None),
    ],
)
async def test_preferences_that_are_not_understood_are_ignored(
    client: httpx.AsyncClient, prefer: str, applied: str | None
) -> None:
    response = await client.post("/orders", json=UNPAID, headers={"Prefer": prefer})

    assert response.status_code == 201
    assert response.headers.get("preference-applied") == applied


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/order-details?limit=0", "/limit"),
        ("/order-details?limit=201", "/limit"),
        ("/order-details?limit=ten", "/limit"),
        ("/order-details?limit=1&limit=2", "/limit"),
        (f"/order-details?limit={'9' * 5000}", "/limit"),
        ("/order-details?order_status=LOST", "/order_status"),
        ("/order-details?customer_id=%00", "/customer_id"),
        ("/order-details?cursor=nonsense", "/cursor"),
        ("/order-details/x?min_version=-1", "/min_version"),
        ("/order-details/x?min_version=99999999999999999999", "/min_version"),
        ("/pickups?status=NONE", "/status"),
        ("/pickups?cursor=%00", "/cursor"),
        ("/pickups?store_id=", "/store_id"),
        ("/payments?status=NONE", "/status"),
        ("/payments?cursor=" + "A" * 600, "/cursor"),
        (f"/payments?cursor={by_hand(1)}", "/cursor"),
        (f"/payments?cursor={by_hand(2**63, 'x')}", "/cursor"),
        (f"/payments?cursor={by_hand(1, chr(0))}", "/cursor"),
        (f"/pickups?cursor={by_hand(2**63)}", "/cursor"),
        (f"/order-details?cursor={by_hand(2**63)}", "/cursor"),
    ],
)
async def test_a_parameter_that_is_not_valid_is_named(
    client: httpx.AsyncClient, path: str, pointer: str
) -> None:
    assert errors_of(await client.get(path)) == [pointer]


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/stores/gangnam", {}, ""),
        ("/stores/gangnam", {"open": None}, "/open"),
        ("/stores/gangnam", {"open": "yes"}, "/open"),
        ("/stores/gangnam", {"capacity": -1}, "/capacity"),
        ("/stores/gangnam", {"capacity": 100_001}, "/capacity"),
        ("/stores/gangnam", {"name": "x"}, "/name"),
        ("/stores/gangnam/menu/latte", {}, ""),
        ("/stores/gangnam/menu/latte", {"price": 0}, "/price"),
        ("/stores/gangnam/menu/latte", {"price": None}, "/price"),
        ("/stores/gangnam/menu/latte", {"price": 10_000_001}, "/price"),
        ("/stores/gangnam/menu/latte", {"price": 4700.0}, "/price"),
        ("/stores/gangnam/menu/latte", {"sold_out": 1}, "/sold_out"),
    ],
)
async def test_a_change_that_is_not_valid_names_the_field(
    client: httpx.AsyncClient, path: str, body: object, pointer: str
) -> None:
    assert errors_of(await client.patch(path, json=body)) == [pointer]


async def test_a_key_means_one_request(client: httpx.AsyncClient) -> None:
    order_id = await placed(client, UNPAID)
    key = {"Idempotency-Key": "k-1"}
    await client.post(f"/orders/{order_id}/payment", json=CARD, headers=key)

    response = await client.post(f"/orders/{order_id}/cancel", headers=key)

    assert (response.status_code, response.json()["code"]) == (422, "idempotency_mismatch")


@pytest.mark.parametrize(("method", "path", "body"), [*COMMANDS, *READS])
async def test_what_does_not_exist_is_not_found(
    client: httpx.AsyncClient, method: str, path: str, body: object
) -> None:
    for unknown in ("0" * 32, "x", "%00", "%ED%A0%80", "..%2f", "영", "x" * 5000, "'--", "a b"):
        response = await client.request(method, path.replace("{id}", unknown), json=body)

        assert response.status_code == 404, response.text
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == 404


async def test_a_method_that_a_path_does_not_take_is_a_problem(client: httpx.AsyncClient) -> None:
    response = await client.put("/orders")

    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == "OPTIONS, POST"


async def test_an_outcome_that_is_not_known_can_be_asked_for_again(
    siren: Backend, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is for operators: it may name hosts and files."""

    async def unreachable(*_: object) -> None:
        raise Unavailable("database_unavailable", "no route to db.internal")

    monkeypatch.setattr(siren, "place", unreachable)
    response = await client.post("/orders", json=ORDER)

    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert response.headers["retry-after"] == "1"
    assert "db.internal" not in response.text


async def test_readiness_says_what_is_missing(
    siren: Backend, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing: list[str] = []

    async def probe(*_: object) -> str | None:
        return missing[0] if missing else None

    monkeypatch.setattr(siren, "_probe", probe)
    monkeypatch.setattr(readiness, "FRESH_S", 0)
    ready = await client.get("/readyz")
    missing.append("order-host:0")
    not_there = await client.get("/readyz")

    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    assert (not_there.status_code, not_there.json()["missing"]) == (503, ["order-host:0"])
    assert (await client.get("/healthz")).status_code == 200
