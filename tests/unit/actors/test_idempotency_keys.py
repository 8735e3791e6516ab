"""One key is one request: under another body it is refused, whoever asks, and for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec
import pytest

from actors.contracts.errors import Invalid
from actors.order.new_order import NewOrder
from actors.settings import Settings
from serve_app.backend import Backend
from tests.support.files import found
from tests.support.in_process import client_of, in_process
from tests.support.waiting import until

pytestmark = pytest.mark.sampled(3)

CARD, OTHER_CARD = ({"method": "card", "token": t} for t in ("tok_approve", "tok_decline"))
ORDER = {
    "customer": {"id": "c-17", "name": "영욱", "tel": "010-1234-5678"},
    "store_id": "gangnam",
    "items": [{"menu_id": "latte", "quantity": 1}],
}
KEY = {"Idempotency-Key": "Nara-010-9999-1234"}

Call = tuple[str, object]
START, READY = ("/pickups/{}/start", None), ("/pickups/{}/ready", None)
COMPLETE = ("/pickups/{}/complete", None)
PAY, PAY_OTHERWISE = ("/orders/{}/payment", CARD), ("/orders/{}/payment", OTHER_CARD)
CANCEL, CANCEL_SO = ("/orders/{}/cancel", None), ("/orders/{}/cancel", {"reason": "rain"})
REJECT = ("/pickups/{}/reject", {"reason": "machine_broken"})
REJECT_SO = ("/pickups/{}/reject", {"reason": "sold_out"})

MISUSES: dict[str, tuple[tuple[Call, ...], Call, Call]] = {
    "another card": ((), PAY, PAY_OTHERWISE),
    "paying, then cancelling": ((), PAY, CANCEL),
    "another reason to cancel": ((PAY,), CANCEL_SO, CANCEL),
    "cancelling, then paying": ((), CANCEL, PAY),
    "another reason to reject": ((PAY,), REJECT, REJECT_SO),
    "rejecting, then cancelling": ((PAY,), REJECT, CANCEL),
    "starting, then calling": ((PAY,), START, READY),
    "calling, then handing over": ((PAY, START), READY, COMPLETE),
    "handing over, then starting": ((PAY, START, READY), COMPLETE, START),
}
every_misuse = pytest.mark.parametrize(
    ("before", "first", "second"), MISUSES.values(), ids=MISUSES.keys()
)


async def sent(
    client: httpx.AsyncClient, order_id: str, call: Call, headers: dict[str, str] = KEY
) -> httpx.Response:
    path, body = call
    return await client.post(path.format(order_id), json=body, headers=headers)


async def placed(client: httpx.AsyncClient, *calls: Call) -> str:
    """Place an order that is not paid, and send these calls, each under a key of its own."""
    response = await client.post("/orders", json=ORDER)
    assert response.status_code == 201
    order_id = str(response.json()["order_id"])
    for call in calls:
        assert (await sent(client, order_id, call, {})).status_code == 200
    return order_id


def refused(response: httpx.Response) -> bool:
    return (response.status_code, response.json().get("code")) == (422, "idempotency_mismatch")


@every_misuse
async def test_one_key_with_another_body_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, before: tuple[Call, ...], first: Call, second: Call
) -> None:
    order_id = await placed(client, *before)
    answered = await sent(client, order_id, first)
    assert answered.status_code == 200
    assert refused(await sent(client, order_id, second))
    assert (await client.get(f"/orders/{order_id}")).json() == answered.json()
    repeated = await sent(client, order_id, first)
    assert (repeated.status_code, repeated.json()) == (200, answered.json())


async def test_the_key_that_placed_an_order_does_nothing_else_with_it(
    client: httpx.AsyncClient,
) -> None:
    order_id = (await client.post("/orders", json=ORDER, headers=KEY)).json()["order_id"]
    for call in (PAY, CANCEL):
        assert refused(await sent(client, order_id, call))
    other = await client.post("/orders", json=ORDER | {"store_id": "jeju"}, headers=KEY)
    assert refused(other)


async def test_one_key_on_two_orders_is_two_requests(client: httpx.AsyncClient) -> None:
    one, other = await placed(client), await placed(client)
    assert (await sent(client, one, PAY)).status_code == 200
    assert (await sent(client, other, CANCEL)).status_code == 200


async def test_deleting_and_cancelling_an_order_are_one_request(client: httpx.AsyncClient) -> None:
    order_id = await placed(client)
    assert (await sent(client, order_id, CANCEL)).status_code == 200
    assert (await client.delete(f"/orders/{order_id}", headers=KEY)).status_code == 200


async def test_another_card_is_refused_while_the_first_one_is_being_charged(
    client: httpx.AsyncClient,
) -> None:
    order_id = await placed(client)
    slow = ("/orders/{}/payment", {"method": "card", "token": "tok_slow_1000"})
    paying = asyncio.create_task(sent(client, order_id, slow, KEY | {"Prefer": "wait=10"}))

    async def pending() -> bool:
        order = (await client.get(f"/orders/{order_id}")).json()
        return bool(order["payment_status"] == "PENDING")

    await until(pending)
    assert refused(await sent(client, order_id, PAY_OTHERWISE))
    assert (await paying).json()["payment_status"] == "APPROVED"


async def test_of_two_cards_at_once_one_is_charged_and_the_other_refused(
    client: httpx.AsyncClient,
) -> None:
    order_id = await placed(client)
    answers = await asyncio.gather(
        sent(client, order_id, PAY), sent(client, order_id, PAY_OTHERWISE)
    )
    assert sum(map(refused, answers)) == 1
    payment = (await client.get("/payments", params={"order_id": order_id})).json()["items"][0]
    assert payment["attempts"] == 1


@every_misuse
async def test_a_key_is_known_after_a_restart_and_passivation(
    tmp_path: Path, before: tuple[Call, ...], first: Call, second: Call
) -> None:
    async with in_process(Settings(data_dir=tmp_path)) as siren, client_of(siren) as client:
        order_id = await placed(client, *before)
        answered = await sent(client, order_id, first)
    async with in_process(Settings(data_dir=tmp_path)) as siren, client_of(siren) as client:
        assert refused(await sent(client, order_id, second))
        repeated = await sent(client, order_id, first)
        assert (repeated.status_code, repeated.json()) == (200, answered.json())


async def test_a_key_is_known_in_dedicated_isolation(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, order_isolation="dedicated")
    async with in_process(settings) as siren, client_of(siren) as client:
        order_id = await placed(client)
        assert (await sent(client, order_id, PAY)).status_code == 200
        for call in (PAY_OTHERWISE, CANCEL):
            assert refused(await sent(client, order_id, call))


@pytest.mark.parametrize("isolation", ["pooled", "dedicated"])
@pytest.mark.parametrize("change", [{"open": False}, {"capacity": 0}], ids=str)
async def test_a_repeat_is_answered_although_its_store_takes_no_orders_any_more(
    tmp_path: Path, isolation: Literal["pooled", "dedicated"], change: dict[str, object]
) -> None:
    settings = Settings(data_dir=tmp_path, order_isolation=isolation)
    order, other = ORDER | {"payment": CARD}, ORDER | {"payment": OTHER_CARD}

    async def is_answered(client: httpx.AsyncClient) -> None:
        repeated = await client.post("/orders", json=order, headers=KEY)
        assert (repeated.status_code, repeated.json()) == (200, answered.json())
        assert repeated.headers["idempotency-replayed"] == "true"
        assert refused(await client.post("/orders", json=other, headers=KEY))

    async with in_process(settings) as siren, client_of(siren) as client:
        answered = await client.post("/orders", json=order, headers=KEY)
        assert (answered.status_code, answered.json()["order_status"]) == (201, "ACCEPTED")
        assert (await client.patch("/stores/gangnam", json=change)).status_code == 200
        await is_answered(client)
    async with in_process(settings) as siren, client_of(siren) as client:
        await is_answered(client)
        assert (await client.post("/orders", json=order)).status_code == 409
        listed = await client.get("/pickups", params={"store_id": "gangnam"})
        assert len(listed.json()["items"]) == 1


async def test_a_repeat_of_an_order_under_way_waits_for_it(client: httpx.AsyncClient) -> None:
    order = ORDER | {"payment": {"method": "card", "token": "tok_slow_1000"}}
    at_once = KEY | {"Prefer": "wait=0"}
    first = await client.post("/orders", json=order, headers=at_once)
    assert (await client.patch("/stores/gangnam", json={"capacity": 0})).status_code == 200
    hasty = await client.post("/orders", json=order, headers=at_once)
    assert (await client.patch("/stores/gangnam", json={"capacity": None})).status_code == 200
    patient = await client.post("/orders", json=order, headers=KEY | {"Prefer": "wait=10"})
    assert [each.json()["payment_status"] for each in (first, hasty)] == ["PENDING"] * 2
    assert patient.json()["order_status"] == "ACCEPTED"
    assert {each.json()["order_id"] for each in (hasty, patient)} == {first.json()["order_id"]}


async def test_the_python_client_is_told_the_same(siren: Backend) -> None:
    order = NewOrder("c-1", "Nara", "010-9999-1234", "gangnam", (("latte", 1),))

    async def ready_for(*steps: Callable[[str], Awaitable[object]]) -> str:
        detail: dict[str, Any] = msgspec.json.decode((await siren.place(order)).detail)
        for step in steps:
            await step(detail["order_id"])
        return str(detail["order_id"])

    async def paid(order_id: str) -> None:
        await siren.pay(order_id, "tok_approve", "once")

    order_id = await ready_for(paid)
    with pytest.raises(Invalid, match="idempotency_mismatch"):
        await siren.pay(order_id, "tok_decline", "once")
    await siren.start(order_id, "twice")
    with pytest.raises(Invalid, match="idempotency_mismatch"):
        await siren.ready(order_id, "twice")
    await siren.reject(order_id, "spilt", "thrice")
    with pytest.raises(Invalid, match="idempotency_mismatch"):
        await siren.reject(order_id, "spilled", "thrice")


async def test_no_file_holds_a_key_or_a_card_token(tmp_path: Path) -> None:
    async with in_process(Settings(data_dir=tmp_path)) as siren, client_of(siren) as client:
        key = KEY["Idempotency-Key"]
        order_id = (await client.post("/orders", json=ORDER, headers=KEY)).json()["order_id"]
        for number, call in enumerate((PAY, START, REJECT)):
            headers = {"Idempotency-Key": f"{key}-{number}"}
            assert (await sent(client, order_id, call, headers)).status_code == 200
        await siren.watcher.wait_beyond(order_id, 5, 10)
        assert found(tmp_path, key) == set()
        async with siren.journal.database.read() as connection:
            rows = await connection.exec_driver_sql("SELECT data, command_id FROM events")
            assert "tok_" not in repr(rows.all())
