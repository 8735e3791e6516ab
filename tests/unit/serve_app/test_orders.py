"""The HTTP contract of orders, through the application and the whole system behind it."""

import asyncio
import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest

from actors.contracts.errors import NotFound
from actors.order import ids
from actors.order.dedicated import DedicatedOrders
from actors.order.new_order import NewOrder
from actors.settings import Settings
from serve_app.backend import Backend
from tests.support.http_contract import CARD, ORDER, UNPAID, placed
from tests.support.in_process import client_of, in_process

LATTE = NewOrder("c-1", "영욱", "010-1234-5678", "gangnam", (("latte", 1),))


def every_request_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no two ids begin alike, however quick the requests come."""
    times = itertools.count(1)
    clock = SimpleNamespace(time_ns=lambda: next(times) * 1_000_000)
    monkeypatch.setattr(ids, "time", clock)


async def test_a_paid_order_is_accepted_by_its_store(client: httpx.AsyncClient) -> None:
    response = await client.post("/orders", json=ORDER)

    order = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/orders/{order['order_id']}"
    assert (order["order_status"], order["payment_status"]) == ("ACCEPTED", "APPROVED")
    assert (order["total"], order["pickup_number"]) == (12500, "A-001")
    assert order["customer"] == ORDER["customer"]
    assert (await client.get(response.headers["location"])).json() == order


async def test_the_same_key_places_one_order(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = await client.post("/orders", json=ORDER, headers=key)
    again = await client.post("/orders", json=ORDER, headers=key)
    other = await client.post("/orders", json=UNPAID, headers=key)

    assert "idempotency-replayed" not in first.headers
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert again.json()["order_id"] == first.json()["order_id"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


async def test_requests_with_one_key_place_one_order_whatever_their_time(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repeat comes with an id of its own; its key finds the order."""
    every_request_has_its_own_time(monkeypatch)
    key = {"Idempotency-Key": "k-1"}

    # At the same moment first: whoever comes second goes on with the first one's order.
    both = await asyncio.gather(*(client.post("/orders", json=ORDER, headers=key) for _ in "ab"))
    later = await client.post("/orders", json=ORDER, headers=key)
    other = await client.post("/orders", json=UNPAID, headers=key)

    assert sorted(answer.status_code for answer in both) == [200, 201]
    assert {answer.json()["order_id"] for answer in (*both, later)} == {later.json()["order_id"]}
    assert (later.status_code, later.headers["idempotency-replayed"]) == (200, "true")
    assert later.json()["order_status"] == "ACCEPTED"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    customer = {"customer_id": ORDER["customer"]["id"]}
    await client.get(f"/order-details/{later.json()['order_id']}", params={"min_version": 4})
    assert len((await client.get("/order-details", params=customer)).json()["items"]) == 1


@pytest.mark.parametrize("dedicated_max", [1, 50])
async def test_a_repeat_is_answered_by_the_order_s_own_actor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dedicated_max: int
) -> None:
    """Another would keep an order of its own in memory, and with it a name that was erased."""
    every_request_has_its_own_time(monkeypatch)
    settings = Settings(data_dir=tmp_path, order_isolation="dedicated", dedicated_max=dedicated_max)
    async with in_process(settings) as siren:
        placed = msgspec.json.decode((await siren.place(LATTE, "k")).detail)
        await siren.place(LATTE, "k")
        await siren.cancel(placed["order_id"])
        await siren.erase(placed["order_id"])
        again = await siren.place(LATTE, "k")
    answer = msgspec.json.decode(again.detail)
    assert again.replayed
    assert (answer["order_id"], answer["order_status"]) == (placed["order_id"], "CANCELED")
    assert answer["customer"] == {"id": "c-1", "name": None, "tel": None}


async def test_requests_with_one_key_get_one_actor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An actor is a process; whoever repeats a request shall not have another one started."""
    every_request_has_its_own_time(monkeypatch)
    started: list[str] = []
    routers: list[DedicatedOrders] = []

    class Observed(DedicatedOrders):
        def __init__(self, host: Any, placed_as: Any, connect: Any, *limits: Any) -> None:
            def observed(order_id: str) -> Any:
                started.append(order_id)
                return connect(order_id)

            super().__init__(host, placed_as, observed, *limits)
            routers.append(self)

    monkeypatch.setattr("tests.support.services.DedicatedOrders", Observed)
    settings = Settings(data_dir=tmp_path, order_isolation="dedicated")
    async with in_process(settings) as siren:
        at_once = await asyncio.gather(*(siren.place(LATTE, "k") for _ in range(5)))
        later = await siren.place(LATTE, "k")
        assert len(started) == 1
        routers[0]._actors.clear()  # as if they were passivated
        last = await siren.place(LATTE, "k")
        replies = (*at_once, later, last)
        (order_id,) = {msgspec.json.decode(each.detail)["order_id"] for each in replies}
        for stranger in (order_id[1:], f"f{order_id[1:]}"):
            with pytest.raises(NotFound):
                await siren.cancel(stranger)
    assert sorted(each.replayed for each in replies) == [False, *[True] * 6]
    assert set(started) == {order_id}


async def test_a_card_declined_at_placement_is_a_placed_order(client: httpx.AsyncClient) -> None:
    declined = ORDER | {"payment": {"method": "card", "token": "tok_decline"}}

    response = await client.post("/orders", json=declined)

    assert response.status_code == 201
    assert response.json()["order_status"] == "PLACED"
    assert response.json()["payment_status"] == "DECLINED"


async def test_a_payment_says_how_it_ended(client: httpx.AsyncClient) -> None:
    path = f"/orders/{await placed(client, UNPAID)}/payment"

    declined = await client.post(path, json={"method": "card", "token": "tok_decline"})
    unknown = await client.post(
        path, json={"method": "card", "token": "tok_slow_200"}, headers={"Prefer": "wait=0"}
    )
    running = await client.post(path, json=CARD)

    assert (declined.status_code, declined.json()["code"]) == (402, "card_declined")
    assert declined.headers["content-type"] == "application/problem+json"
    assert declined.json()["order"]["payment_status"] == "DECLINED"
    assert (unknown.status_code, unknown.json()["payment_status"]) == (202, "PENDING")
    assert unknown.headers["preference-applied"] == "wait=0"
    assert (running.status_code, running.json()["code"]) == (409, "payment_in_progress")


async def test_a_repeated_payment_is_answered_like_the_first(client: httpx.AsyncClient) -> None:
    path = f"/orders/{await placed(client, UNPAID)}/payment"
    first = await client.post(path, json=CARD, headers={"Idempotency-Key": "p-1"})
    again = await client.post(path, json=CARD, headers={"Idempotency-Key": "p-1"})
    other = await client.post(path, json=CARD, headers={"Idempotency-Key": "p-2"})

    assert (first.status_code, first.json()["payment_status"]) == (200, "APPROVED")
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert (other.status_code, other.json()["code"]) == (409, "not_payable")


async def test_cancelling_refunds_and_may_be_repeated(client: httpx.AsyncClient) -> None:
    order_id = await placed(client)

    canceled = await client.post(f"/orders/{order_id}/cancel", json={"reason": "rain"})
    again = await client.delete(f"/orders/{order_id}")

    assert (canceled.status_code, canceled.json()["order_status"]) == (200, "CANCELED")
    assert canceled.json()["payment_status"] == "CANCELED"
    assert canceled.json()["cancel_reason"] == "rain"
    assert (again.status_code, again.json()) == (200, canceled.json())


async def test_the_answer_does_not_wait_longer_than_preferred(client: httpx.AsyncClient) -> None:
    order_id = await placed(client)

    response = await client.delete(f"/orders/{order_id}", headers={"Prefer": "respond-async"})

    assert (response.status_code, response.json()["order_status"]) == (202, "CANCELING")
    assert response.headers["preference-applied"] == "respond-async"


async def test_the_barista_moves_an_order_to_its_customer(client: httpx.AsyncClient) -> None:
    order_id = await placed(client)

    too_early = await client.post(f"/pickups/{order_id}/ready")
    assert (too_early.status_code, too_early.json()["code"]) == (409, "out_of_turn")
    for button, status in (("start", "PREPARING"), ("ready", "READY"), ("complete", "PICKED_UP")):
        for _ in range(2):
            response = await client.post(f"/pickups/{order_id}/{button}")
            assert (response.status_code, response.json()["order_status"]) == (200, status)
    too_late = await client.post(f"/orders/{order_id}/cancel")
    assert (too_late.status_code, too_late.json()["code"]) == (409, "not_cancelable")
    tickets = (await client.get("/pickups", params={"order_id": order_id})).json()
    assert [ticket["status"] for ticket in tickets["items"]] == ["PICKED_UP"]


async def test_a_store_that_gives_up_refunds(client: httpx.AsyncClient) -> None:
    order_id = await placed(client)
    await client.post(f"/pickups/{order_id}/start")

    response = await client.post(f"/pickups/{order_id}/reject", json={"reason": "machine_broken"})

    assert (response.status_code, response.json()["order_status"]) == (200, "CANCELED")
    payments = (await client.get("/payments", params={"order_id": order_id})).json()
    assert [payment["status"] for payment in payments["items"]] == ["CANCELED"]
    payment_id = payments["items"][0]["payment_id"]
    assert (await client.get(f"/payments/{payment_id}")).json() == payments["items"][0]


async def test_the_history_holds_neither_keys_nor_personal_data(client: httpx.AsyncClient) -> None:
    response = await client.post("/orders", json=ORDER, headers={"Idempotency-Key": "my-key"})

    history = await client.get(f"/orders/{response.json()['order_id']}/events")

    items = history.json()["items"]
    assert [item["type"] for item in items][:2] == ["OrderPlaced", "PaymentRequested"]
    assert [item["version"] for item in items] == [1, 2, 3, 4]
    assert history.json()["next_cursor"] is None
    for secret in ("my-key", "영욱", "010-1234-5678", "tok_approve", "body_hash"):
        assert secret not in history.text


async def test_the_view_is_waited_for(client: httpx.AsyncClient) -> None:
    order_id = await placed(client)

    fresh = await client.get(f"/order-details/{order_id}", params={"min_version": 4})
    page = await client.get("/order-details", params={"customer_id": "c-17", "limit": 1})

    assert fresh.json()["version"] == 4
    assert page.json() == {"items": [fresh.json()], "next_cursor": None}


async def test_a_version_that_never_comes_is_not_waited_for_long(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = await placed(client, UNPAID)
    await client.get(f"/order-details/{order_id}", params={"min_version": 1})
    monkeypatch.setattr("serve_app.routes.order_details.DEFAULT_WAIT_S", 0.01)

    response = await client.get(f"/order-details/{order_id}", params={"min_version": 99})
    missing = await client.get("/order-details/nobody", params={"min_version": 1})

    assert (response.status_code, response.json()["version"]) == (200, 1)
    assert missing.status_code == 404


async def test_pages_follow_one_another(client: httpx.AsyncClient) -> None:
    order_ids = [await placed(client, UNPAID) for _ in range(3)]
    await client.get(f"/order-details/{order_ids[-1]}", params={"min_version": 1})

    first = (await client.get("/order-details", params={"limit": 2})).json()
    last = (await client.get("/order-details", params={"cursor": first["next_cursor"]})).json()

    listed = [item["order_id"] for item in first["items"] + last["items"]]
    assert listed == order_ids[::-1]
    assert last["next_cursor"] is None


async def test_a_store_can_be_closed_and_limited(client: httpx.AsyncClient) -> None:
    closed = await client.patch("/stores/gangnam", json={"open": False})
    refused = await client.post("/orders", json=ORDER)
    limited = await client.patch("/stores/gangnam", json={"open": True, "capacity": 0})
    full = await client.post("/orders", json=ORDER)
    unlimited = await client.patch("/stores/gangnam", json={"capacity": None})

    assert (closed.status_code, closed.json()["open"]) == (200, False)
    assert (refused.status_code, refused.json()["code"]) == (409, "store_closed")
    assert limited.json()["capacity"] == 0
    assert (full.status_code, full.json()["code"]) == (409, "store_full")
    assert unlimited.json()["capacity"] is None
    assert unlimited.json() == (await client.get("/stores/gangnam")).json()
    assert unlimited.json() in (await client.get("/stores")).json()["items"]


async def test_a_menu_item_can_change_price_and_sell_out(client: httpx.AsyncClient) -> None:
    path = "/stores/gangnam/menu/americano"
    dearer = await client.patch(path, json={"price": 4700})
    total = (await client.post("/orders", json=ORDER)).json()["total"]
    gone = await client.patch(path, json={"sold_out": True})
    refused = await client.post("/orders", json=ORDER)

    assert (dearer.status_code, dearer.json()["price"]) == (200, 4700)
    assert total == 2 * 4700 + 3500
    assert (gone.json()["sold_out"], gone.json()["price"]) == (True, 4700)
    assert (refused.status_code, refused.json()["code"]) == (409, "sold_out")
    assert refused.json()["menu_ids"] == ["americano"]
    assert gone.json() in (await client.get("/stores/gangnam/menu")).json()["items"]


# --- waiting ------------------------------------------------------------------------------------


async def test_commands_that_wait_leave_their_places_to_others(siren: Backend) -> None:
    async with client_of(siren, max_in_flight=2) as client, asyncio.TaskGroup() as group:
        slow = ORDER | {"payment": {"method": "card", "token": "tok_slow_60000"}}
        long, soon = {"Prefer": "wait=30"}, {"Prefer": "respond-async"}
        waiting = [
            group.create_task(client.post("/orders", json=slow, headers=long)) for _ in range(2)
        ]
        await asyncio.sleep(0)  # they come first
        answer = await client.post("/orders", json=UNPAID, headers=soon)
        assert answer.status_code == 503
        async with asyncio.timeout(20):
            while answer.status_code != 201:
                await asyncio.sleep(0.02)
                answer = await client.post("/orders", json=UNPAID, headers=soon)
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()


async def test_what_takes_longer_than_a_place_is_held_is_answered_once_it_is_settled(
    client: httpx.AsyncClient,
) -> None:
    slow = ORDER | {"payment": {"method": "card", "token": "tok_slow_900"}}
    asked = {"Prefer": "wait=30", "Idempotency-Key": "slow-1"}
    first = await client.post("/orders", json=slow, headers=asked)
    again = await client.post("/orders", json=slow, headers=asked)

    assert (first.status_code, first.json()["order_status"]) == (201, "ACCEPTED")
    assert "idempotency-replayed" not in first.headers
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert again.json() == first.json()


async def test_a_payment_that_takes_long_is_answered_with_its_outcome(
    client: httpx.AsyncClient,
) -> None:
    order_id = await placed(client, UNPAID)
    late = {"method": "card", "token": "tok_slow_900"}
    paid = await client.post(
        f"/orders/{order_id}/payment", json=late, headers={"Prefer": "wait=30"}
    )
    assert (paid.status_code, paid.json()["payment_status"]) == (200, "APPROVED")
    assert "idempotency-replayed" not in paid.headers


async def test_a_wait_that_is_over_is_answered_with_what_there_is(
    client: httpx.AsyncClient,
) -> None:
    slow = ORDER | {"payment": {"method": "card", "token": "tok_slow_60000"}}
    answer = await client.post("/orders", json=slow, headers={"Prefer": "wait=1"})
    assert (answer.status_code, answer.json()["payment_status"]) == (201, "PENDING")


async def test_an_order_whose_store_has_closed_is_not_charged(client: httpx.AsyncClient) -> None:
    path = f"/orders/{await placed(client, UNPAID)}"
    await client.patch("/stores/gangnam", json={"open": False})
    refused = await client.post(f"{path}/payment", json=CARD)
    order = (await client.get(path)).json()
    payments = (await client.get("/payments")).json()["items"]
    await client.patch("/stores/gangnam", json={"open": True})
    paid = await client.post(f"{path}/payment", json=CARD)

    assert (refused.status_code, refused.json()["code"]) == (409, "store_closed")
    assert (order["order_status"], order["version"], payments) == ("PLACED", 1, [])
    assert (paid.status_code, paid.json()["payment_status"]) == (200, "APPROVED")
