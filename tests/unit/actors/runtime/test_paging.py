"""A cursor is good for the list, filters and caller that it was made for, and says nothing."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from actors.contracts.errors import Invalid
from actors.runtime.paging import Cursors
from actors.settings import Settings
from tests.support.cursors import by_hand
from tests.support.in_process import client_of, in_process
from tests.support.tokens import GOOD, MINE, SECRET

CURSORS = Cursors("orders", b"secret")
MADE_FOR = {"customer_id": "c-1", "store_id": None}


def test_a_cursor_holds_what_was_put_into_it() -> None:
    cursor = CURSORS.encode(MADE_FOR, 7, "x")
    assert CURSORS.decode({"customer_id": "c-1"}, cursor, int, str) == (7, "x")


@pytest.mark.parametrize(
    ("cursors", "bound"),
    [
        (CURSORS, {"customer_id": "c-2"}),
        (CURSORS, {}),
        (CURSORS, MADE_FOR | {"store_id": "jeju"}),
        (CURSORS, {"store_id": "c-1"}),
        (Cursors("payments", b"secret"), MADE_FOR),
        (Cursors("orders", b"another"), MADE_FOR),
        (Cursors("orders"), MADE_FOR),
    ],
)
def test_a_cursor_of_something_else_is_refused(cursors: Cursors, bound: dict[str, object]) -> None:
    with pytest.raises(Invalid, match="invalid_cursor"):
        cursors.decode(bound, CURSORS.encode(MADE_FOR, 7), int)


def test_no_character_of_a_cursor_can_be_changed() -> None:
    good = CURSORS.encode(MADE_FOR, 7, "x")
    for place, letter in enumerate(good):
        for other in "AQgw_":
            if other != letter:
                altered = good[:place] + other + good[place + 1 :]
                with pytest.raises(Invalid, match="invalid_cursor"):
                    CURSORS.decode(MADE_FOR, altered, int, str)
    for altered in ("", "A", good[:-1], good + "A", good + "=", good + "\n", f" {good}", "한"):
        with pytest.raises(Invalid, match="invalid_cursor"):
            CURSORS.decode(MADE_FOR, altered, int, str)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A shop where everybody signs in, with two orders each of two customers."""
    async with (
        in_process(Settings(data_dir=tmp_path, auth="required")) as siren,
        client_of(siren, token_secret=SECRET) as client,
    ):
        for customer in (MINE.subject, "guest-other"):
            for _ in range(2):
                order = {
                    "customer": {"id": customer, "name": "영욱", "tel": "010-1234-5678"},
                    "store_id": "gangnam",
                    "items": [{"menu_id": "latte", "quantity": 1}],
                    "payment": {"method": "card", "token": "tok_approve"},
                }
                placed = await client.post("/orders", json=order, headers=GOOD["owner"])
                order_id = placed.json()["order_id"]
                await siren.watcher.wait_beyond(order_id, placed.json()["version"] - 1, 10)
        yield client


async def page(client: httpx.AsyncClient, path: str, caller: str, **filters: str) -> httpx.Response:
    return await client.get(path, params={"limit": "1"} | filters, headers=GOOD[caller])


@pytest.mark.parametrize(
    ("path", "caller", "others"),
    [
        ("/order-details", "customer", ("other customer", "staff", "owner")),
        ("/order-details", "staff", ("customer", "owner")),
        ("/payments", "customer", ("other customer", "owner")),
        ("/pickups", "staff", ("owner",)),
    ],
)
async def test_a_cursor_serves_its_caller_alone(
    client: httpx.AsyncClient, path: str, caller: str, others: tuple[str, ...]
) -> None:
    first = (await page(client, path, caller)).json()
    cursor = first["next_cursor"]
    second = await page(client, path, caller, cursor=cursor)
    assert second.status_code == 200
    assert second.json()["items"] != first["items"]
    for other in others:
        refused = await page(client, path, other, cursor=cursor)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_cursor")


async def test_made_up_cursors_are_answered_alike_whether_or_not_the_order_exists(
    client: httpx.AsyncClient,
) -> None:
    theirs = (await page(client, "/order-details", "other customer")).json()["items"][0]
    order_id = theirs["order_id"]
    unknown = order_id[:-1] + ("0" if order_id[-1] != "0" else "1")
    for path, caller in (("/order-details", "customer"), ("/pickups", "staff")):
        answers = [
            await page(client, path, caller, cursor=by_hand(each)) for each in (order_id, unknown)
        ]
        assert [answer.status_code for answer in answers] == [422, 422]
        assert answers[0].content == answers[1].content
    own = (await page(client, "/order-details", "customer")).json()["next_cursor"]
    signed = base64.urlsafe_b64decode(own + "=" * (-len(own) % 4))
    forged = [
        base64.urlsafe_b64encode(signed[:18] + each.encode()).decode().rstrip("=")
        for each in (order_id, unknown)
    ]
    answers = [await page(client, "/order-details", "customer", cursor=c) for c in forged]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("body", [{"price": 1}, {"price": 4500}, {"price": 1, "sold_out": True}])
async def test_a_price_is_the_owner_s_alone(
    client: httpx.AsyncClient, body: dict[str, object]
) -> None:
    path = "/stores/gangnam/menu/americano"
    before = (await client.get("/stores/gangnam/menu", headers=GOOD["owner"])).json()
    refused = await client.patch(path, json=body, headers=GOOD["staff"])
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (await client.get("/stores/gangnam/menu", headers=GOOD["owner"])).json() == before
    assert (await client.patch(path, json={"sold_out": True}, headers=GOOD["staff"])).json()[
        "sold_out"
    ] is True
    for caller in ("owner", "service"):
        changed = await client.patch(path, json={"price": 4700}, headers=GOOD[caller])
        assert (changed.status_code, changed.json()["price"]) == (200, 4700)
