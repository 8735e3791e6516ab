"""Nobody is charged another total than the one they agreed to."""

import hashlib
import hmac
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from actors.contracts.errors import Invalid, PriceChanged
from actors.contracts.messages import MenuItemChange
from actors.order.domain.events import OrderPlaced
from actors.order.new_order import NewOrder
from actors.settings import Settings
from serve_app.backend import Backend
from tests.support.http_contract import ORDER, changed
from tests.support.in_process import in_process
from tests.support.orders import place, when

TOTAL = 12_500
DEARER = 14_500
KEY = {"Idempotency-Key": "k-1"}
LATTE = NewOrder("c-17", "영욱", "010-1234-5678", "gangnam", (("latte", 1),), "tok_approve")
# What version 1 hashed of LATTE, byte for byte. Journals hold its hash.
LATTE_JSON = (
    '{"customer_id":"c-17","name":"영욱","tel":"010-1234-5678","store_id":"gangnam",'
    '"items":[["latte",1]],"token":"tok_approve"}'
)


def expecting(total: object) -> dict[str, Any]:
    return ORDER | {"expected_total": total}


async def raise_price(siren: Backend, price: int = 5500) -> None:
    await siren.change_menu_item(MenuItemChange("gangnam", "americano", None, price))


def settings_for(database_url: str, tmp_path: Path) -> Settings:
    if "postgresql" in database_url:
        return Settings(database_url=database_url)
    return Settings(data_dir=tmp_path)


async def test_another_total_than_the_expected_one_places_nothing(
    siren: Backend, client: httpx.AsyncClient
) -> None:
    await raise_price(siren)

    refused = await client.post("/orders", json=expecting(TOTAL), headers=KEY)
    payments = (await client.get("/payments")).json()["items"]
    again = await client.post("/orders", json=expecting(DEARER), headers=KEY)

    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert (refused.json()["code"], refused.json()["total"]) == ("price_changed", DEARER)
    assert payments == []
    assert (again.status_code, again.json()["total"]) == (201, DEARER)
    details = await client.get(f"/order-details/{again.json()['order_id']}?min_version=4")
    listed = (await client.get("/order-details")).json()["items"]
    assert [order["order_id"] for order in listed] == [details.json()["order_id"]]


async def test_a_total_that_is_too_high_is_refused_too(client: httpx.AsyncClient) -> None:
    refused = await client.post("/orders", json=expecting(TOTAL + 1))

    assert (refused.status_code, refused.json()["total"]) == (409, TOTAL)


async def test_a_repeat_is_answered_with_its_order_whatever_the_price_is_now(
    database_url: str, tmp_path: Path
) -> None:
    settings = settings_for(database_url, tmp_path)
    order = replace(LATTE, items=(("americano", 1),), expected_total=4500)
    async with in_process(settings) as siren:
        placed = msgspec.json.decode((await siren.place(order, "k")).detail)
        await raise_price(siren)
        from_memory = await siren.place(order, "k")
    async with in_process(settings) as siren:  # nobody has it in memory any more
        from_journal = await siren.place(order, "k")
        with pytest.raises(Invalid) as mismatch:
            await siren.place(replace(order, expected_total=5500), "k")

    for repeat in (from_memory, from_journal):
        assert repeat.replayed
        answer = msgspec.json.decode(repeat.detail)
        assert (answer["order_id"], answer["total"]) == (placed["order_id"], 4500)
    assert mismatch.value.code == "idempotency_mismatch"


async def test_the_client_says_the_new_total(siren: Backend) -> None:
    with pytest.raises(PriceChanged) as refused:
        await siren.place(replace(LATTE, expected_total=1))

    assert (refused.value.code, refused.value.total) == ("price_changed", 5000)


async def test_an_order_that_expects_no_total_has_the_hash_that_it_always_had(
    siren: Backend,
) -> None:
    reply = await siren.place(LATTE, "k")

    order_id = msgspec.json.decode(reply.detail)["order_id"]
    placed = (await siren.journal.load(order_id)).events[0].event
    assert isinstance(placed, OrderPlaced)
    hashed = hmac.new(b"secret", LATTE_JSON.encode(), hashlib.sha256).hexdigest()
    assert placed.body_hash == hashed


@pytest.mark.parametrize("total", [True, 12_500.0, "12500", -1, 2**53, 10**400, None, [], {}])
async def test_a_total_that_is_no_amount_is_refused(
    client: httpx.AsyncClient, total: object
) -> None:
    response = await client.post("/orders", json=changed("/expected_total", total))

    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["/expected_total"]


def test_the_order_itself_decides() -> None:
    command = replace(place(), expected_total=TOTAL + 1)

    with pytest.raises(PriceChanged):
        when(None, command)
    assert when(None, replace(command, expected_total=TOTAL))
