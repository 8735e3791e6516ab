"""Parameters of a query are known, and written as they have to be, on every route."""

import json

import httpx
import pytest

from tests.support.http_contract import CARD, UNPAID, placed
from tests.support.routes import API, PAGES, QUERIES, address, code_of, raw

NUMBERS = ("limit", "min_version")


@pytest.mark.parametrize(("method", "path"), API)
async def test_a_parameter_that_is_not_known_is_refused_by_its_name(
    client: httpx.AsyncClient, ids: dict[str, str], method: str, path: str
) -> None:
    response = await client.request(method, address(path, ids) + "?picked_up=", json=CARD)
    assert response.status_code == 422
    if method != "HEAD":
        assert code_of(response) == "unknown_parameter"
        assert [error["pointer"] for error in response.json()["errors"]] == ["/picked_up"]


async def test_a_filter_of_another_list_is_not_ignored(client: httpx.AsyncClient) -> None:
    response = await client.get("/order-details?status=PICKED_UP")
    assert (response.status_code, code_of(response)) == (422, "unknown_parameter")
    assert "order_status" in response.json()["detail"]


@pytest.mark.parametrize("path", PAGES)
async def test_a_shared_link_to_a_page_may_say_where_it_comes_from(
    client: httpx.AsyncClient, ids: dict[str, str], path: str
) -> None:
    shared = await client.get(address(path, ids) + "?utm_source=mail&utm_source=x")
    assert shared.status_code == 200


@pytest.mark.parametrize("name", ["limit", "cursor", "store_id", "order_status", "customer_id"])
async def test_an_empty_parameter_is_not_valid(client: httpx.AsyncClient, name: str) -> None:
    response = await client.get(f"/order-details?{name}=")
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [f"/{name}"]


@pytest.mark.parametrize(
    "value",
    ["1_0", "4.0", "1e1", "0x1", "+5", "%2B5", "%205", "5%20", "%D9%A3", "%EF%BC%95", "5;6"],
)
@pytest.mark.parametrize(("path", "name"), [each for each in QUERIES if each[1] in NUMBERS])
async def test_a_number_is_written_in_digits(
    client: httpx.AsyncClient, ids: dict[str, str], path: str, name: str, value: str
) -> None:
    response = await client.get(f"{address(path, ids)}?{name}={value}")
    assert (response.status_code, code_of(response)) == (422, "invalid_request")
    assert [error["pointer"] for error in response.json()["errors"]] == [f"/{name}"]
    assert (await client.get(f"{address(path, ids)}?{name}=%35")).status_code == 200


@pytest.mark.parametrize(
    "value",
    [b"%ff", b"%ED%A0%80", b"%C0%80", b"a%e2%82", b"%EA%B0%95%ff", b"\xea\xb0\x95", b"\xff"],
)
@pytest.mark.parametrize(("path", "name"), QUERIES)
async def test_a_parameter_that_is_no_text_is_not_looked_for(
    client: httpx.AsyncClient, ids: dict[str, str], path: str, name: str, value: bytes
) -> None:
    query = name.encode() + b"=" + value
    [start, *bodies] = await raw(client, path=address(path, ids), query_string=query)
    problem = json.loads(b"".join(each["body"] for each in bodies))
    assert (start["status"], problem["code"]) == (422, "invalid_request")
    assert [error["pointer"] for error in problem["errors"]] == [f"/{name}"]


async def test_a_parameter_may_be_any_text_in_utf_8(client: httpx.AsyncClient) -> None:
    customer = UNPAID["customer"] | {"id": "강남 100%"}
    order_id = await placed(client, UNPAID | {"customer": customer})
    seen = await client.get(f"/order-details/{order_id}?min_version=1")
    assert seen.json()["customer"]["id"] == "강남 100%"
    for value in ("%EA%B0%95%EB%82%A8+100%25", "%EA%B0%95%EB%82%A8%20100%"):
        found = (await client.get(f"/order-details?customer_id={value}")).json()["items"]
        assert [order["order_id"] for order in found] == [order_id]
