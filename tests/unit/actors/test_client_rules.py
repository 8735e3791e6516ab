"""The Python client obeys what HTTP obeys: nothing is sent, placed or charged."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.contracts.errors import Invalid, NotFound, Rejected
from actors.contracts.messages import MenuItemChange, StoreChange
from actors.order.new_order import NewOrder
from actors.settings import Settings
from serve_app.backend import Backend
from tests.support.in_process import in_process

LATTE = NewOrder("c-17", "영욱", "010-1234-5678", "gangnam", (("latte", 1),), "tok_approve")
ORDERS: list[tuple[dict[str, Any], str]] = [
    ({"items": (("latte", -1),)}, "/items/0/quantity"),
    ({"items": (("latte", 1), ("latte", 1_000_000))}, "/items/1/quantity"),
    ({"items": (("latte", "2"),)}, "/items/0/quantity"),
    ({"items": (("latte", 2.0),)}, "/items/0/quantity"),
    ({"items": (("latte", True),)}, "/items/0/quantity"),
    ({"items": ((["latte"], 1),)}, "/items/0/menu_id"),
    ({"items": (("latte",),)}, "/items/0"),
    ({"items": ()}, "/items"),
    ({"items": (("latte", 1),) * 51}, "/items"),
    ({"items": None}, "/items"),
    ({"items": "latte"}, "/items"),
    ({"name": ""}, "/customer/name"),
    ({"name": "\u3164"}, "/customer/name"),
    ({"name": None}, "/customer/name"),
    ({"name": "\ud800"}, "/customer/name"),
    ({"name": "nul\x00"}, "/customer/name"),
    ({"tel": "abc"}, "/customer/tel"),
    ({"customer_id": ""}, "/customer/id"),
    ({"customer_id": "\ud800"}, "/customer/id"),
    ({"customer_id": 17}, "/customer/id"),
    ({"store_id": "\x00"}, "/store_id"),
    ({"store_id": 5}, "/store_id"),
    ({"store_id": "nowhere"}, "/store_id"),
    ({"token": ""}, "/payment/token"),
    ({"token": "tok approve"}, "/payment/token"),
    ({"expected_total": -1}, "/expected_total"),
    ({"expected_total": 5000.0}, "/expected_total"),
]

Call = Callable[[Backend, str], Awaitable[object]]
COMMANDS: list[tuple[Call, str]] = [
    (lambda siren, _: siren.place(LATTE, key=""), "/key"),
    (lambda siren, _: siren.place(LATTE, key="키"), "/key"),
    (lambda siren, _: siren.place(LATTE, key="k" * 256), "/key"),
    (lambda siren, _: siren.place(LATTE, wait=-1), "/wait"),
    (lambda siren, _: siren.place(LATTE, wait=math.nan), "/wait"),
    (lambda siren, _: siren.place(LATTE, wait="2"), "/wait"),  # type: ignore[arg-type]
    (lambda siren, order: siren.pay(order, ""), "/token"),
    (lambda siren, order: siren.pay(order, "\ud800"), "/token"),
    (lambda siren, order: siren.pay(order, None), "/token"),  # type: ignore[arg-type]
    (lambda siren, order: siren.pay(order, "tok", key=" "), "/key"),
    (lambda siren, order: siren.cancel(order, "\u200b"), "/reason"),
    (lambda siren, order: siren.cancel(order, "x" * 201), "/reason"),
    (lambda siren, order: siren.cancel(order, wait=-0.1), "/wait"),
    (lambda siren, order: siren.reject(order, ""), "/reason"),
    (lambda siren, order: siren.start(order, key=""), "/key"),
    (lambda siren, _: siren.start(None), "/order_id"),  # type: ignore[arg-type]
    (lambda siren, _: siren.change_store(capacity_of(-1)), "/capacity"),
    (lambda siren, _: siren.change_store(capacity_of("9")), "/capacity"),
    (lambda siren, _: siren.change_store(capacity_of(2**70)), "/capacity"),
    (lambda siren, _: siren.change_menu_item(price_of(-1)), "/price"),
    (lambda siren, _: siren.change_menu_item(price_of(10**30)), "/price"),
    (lambda siren, _: siren.change_menu_item(price_of("9")), "/price"),
    (lambda siren, _: siren.details.page(limit=0), "/limit"),
    (lambda siren, _: siren.payments.page(limit=10**9), "/limit"),
    (lambda siren, _: siren.stores.tickets(limit=-1), "/limit"),
]


def capacity_of(capacity: Any) -> StoreChange:
    return StoreChange("gangnam", open=None, set_capacity=True, capacity=capacity)


def price_of(price: Any) -> MenuItemChange:
    return MenuItemChange("gangnam", "latte", None, price)


async def test_an_order_that_cannot_be_is_not_placed(siren: Backend) -> None:
    for changes, pointer in ORDERS:
        with pytest.raises(Invalid) as refused:
            await siren.place(replace(LATTE, **changes))
        assert refused.value.pointer == pointer, ascii(changes)
    assert (await siren.payments.page()).items == []
    assert await siren.journal.last_position() == 0


async def test_every_command_names_what_is_wrong_with_it(siren: Backend) -> None:
    unpaid = await siren.place(replace(LATTE, token=None))
    order_id = msgspec.json.decode(unpaid.detail)["order_id"]
    events = await siren.journal.last_position()
    for number, (call, pointer) in enumerate(COMMANDS):
        with pytest.raises(Invalid) as refused:
            await call(siren, order_id)
        assert refused.value.pointer == pointer, number
    for unknown in ("", "\x00", "a b", "x" * 65, "\ud800", "0" * 35):
        with pytest.raises(NotFound):
            await siren.cancel(unknown)
        with pytest.raises(NotFound):
            await siren.order(unknown)
    assert await siren.journal.last_position() == events


async def test_codes_of_the_system_are_not_a_customer_s_to_give(siren: Backend) -> None:
    order_id = msgspec.json.decode((await siren.place(LATTE)).detail)["order_id"]
    for reason in ("payment_timeout", " Sold_Out\u200b", "store_full"):
        with pytest.raises(Invalid) as refused:
            await siren.cancel(order_id, reason)
        assert (refused.value.code, refused.value.pointer) == ("reserved_reason", "/reason")
    with pytest.raises(Invalid):
        await siren.reject(order_id, "payment_timeout")
    rejected = await siren.reject(order_id, "sold_out")
    assert msgspec.json.decode(rejected.detail)["cancel_reason"] == "sold_out"


async def test_a_wait_is_thirty_seconds_at_most(siren: Backend) -> None:
    settled = await asyncio.wait_for(siren.place(LATTE, wait=math.inf), 60)

    assert settled.order_status == "ACCEPTED"


# --- paying a store that is known not to make the order -----------------------------------------


def open_is(*, to: bool) -> StoreChange:
    return StoreChange("gangnam", open=to, set_capacity=False, capacity=None)


def sold_out_is(*, to: bool) -> MenuItemChange:
    return MenuItemChange("gangnam", "latte", sold_out=to, price=None)


async def refusal_of(siren: Backend, order_id: str, key: str = "p") -> str:
    with pytest.raises(Rejected) as refused:
        await siren.pay(order_id, "tok_approve", key)
    return refused.value.code


async def test_what_a_store_is_known_not_to_make_is_not_charged(
    database_url: str, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path)
    if "postgresql" in database_url:
        settings = Settings(database_url=database_url)
    async with in_process(settings) as siren:
        unpaid = await siren.place(replace(LATTE, token=None))
        order_id = msgspec.json.decode(unpaid.detail)["order_id"]

        await siren.change_store(open_is(to=False))
        closed = await refusal_of(siren, order_id)
        await siren.change_store(StoreChange("gangnam", open=True, set_capacity=True, capacity=0))
        full = await refusal_of(siren, order_id)
        await siren.change_store(capacity_of(None))
        await siren.change_menu_item(sold_out_is(to=True))
        sold_out = await refusal_of(siren, order_id)
        history = await siren.histories.page(order_id)
        charged = (await siren.payments.page()).items

        await siren.change_menu_item(sold_out_is(to=False))
        paid = await siren.pay(order_id, "tok_approve", "p")
        await siren.change_store(open_is(to=False))
        again = await siren.pay(order_id, "tok_approve", "p")

    assert (closed, full, sold_out) == ("store_closed", "store_full", "sold_out")
    assert ([stored.version for stored in history.items], charged) == ([1], [])
    assert (paid.attempt, paid.replayed, paid.order_status) == ("APPROVED", False, "ACCEPTED")
    assert (again.attempt, again.replayed) == ("APPROVED", True)
