"""Every command is looked at, whatever way it came: here as the order and the store take them."""

from dataclasses import replace
from typing import Any

import pytest

from actors.contracts.errors import Invalid
from actors.contracts.limits import MAX_TOTAL
from actors.contracts.messages import MenuItemChange, StoreChange
from actors.contracts.values import Line, PrivateData
from actors.order.domain import commands as cmd
from actors.order.domain import events as ev
from actors.settings import Settings
from actors.store.service import StoreService
from tests.support.orders import ACCEPTED_LIFE, PLACED, REQUESTED, given, place, when

LATTE = Line("latte", "Latte", 1, 5000)


def capacity_of(capacity: int | None) -> StoreChange:
    return StoreChange("gangnam", open=None, set_capacity=True, capacity=capacity)


def pointer_of(command: cmd.Command, *life: ev.Event) -> tuple[str, str]:
    with pytest.raises(Invalid) as refused:
        when(given(*life) if life else None, command)
    return refused.value.code, refused.value.pointer


@pytest.mark.parametrize(
    ("lines", "pointer"),
    [
        ((), "/items"),
        ((LATTE,) * 51, "/items"),
        ((LATTE, replace(LATTE, quantity=0)), "/items/1/quantity"),
        ((replace(LATTE, quantity=-1),), "/items/0/quantity"),
        ((replace(LATTE, quantity=1_000_000),), "/items/0/quantity"),
        ((replace(LATTE, quantity=True),), "/items/0/quantity"),
        ((replace(LATTE, quantity=1.0),), "/items/0/quantity"),  # type: ignore[arg-type]
        ((replace(LATTE, menu_id=""),), "/items/0/menu_id"),
        ((replace(LATTE, menu_id="a b"),), "/items/0/menu_id"),
        ((replace(LATTE, unit_price=-5000),), "/items/0/unit_price"),
        ((replace(LATTE, unit_price=2**63),), "/items/0/unit_price"),
        ((replace(LATTE, quantity=2, unit_price=MAX_TOTAL),), "/items"),
    ],
)
def test_an_order_that_cannot_be_is_not_placed(lines: tuple[Line, ...], pointer: str) -> None:
    assert pointer_of(replace(place(), lines=lines)) == ("invalid_request", pointer)


@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("customer_id", "", "/customer/id"),
        ("customer_id", "\u3164", "/customer/id"),
        ("customer_id", "c" * 65, "/customer/id"),
        ("store_id", "", "/store_id"),
        ("store_id", "강남", "/store_id"),
        ("expected_total", -1, "/expected_total"),
        ("expected_total", MAX_TOTAL + 1, "/expected_total"),
        ("id", "", "/id"),
        ("id", "k" * 301, "/id"),
    ],
)
def test_an_order_names_who_and_where(field: str, value: Any, pointer: str) -> None:
    assert pointer_of(replace(place(), **{field: value})) == ("invalid_request", pointer)


@pytest.mark.parametrize(
    ("private", "pointer"),
    [
        (PrivateData(None, "010-1234-5678", "tok"), "/customer/name"),
        (PrivateData("", "010-1234-5678", "tok"), "/customer/name"),
        (PrivateData("\u3000", "010-1234-5678", "tok"), "/customer/name"),
        (PrivateData("영" * 41, "010-1234-5678", "tok"), "/customer/name"),
        (PrivateData("영욱", None, "tok"), "/customer/tel"),
        (PrivateData("영욱", "abc", "tok"), "/customer/tel"),
        (PrivateData("영욱", "010-1234-5678", None), "/payment/token"),
        (PrivateData("영욱", "010-1234-5678", "tok en"), "/payment/token"),
        (PrivateData("영욱", "010-1234-5678", "t" * 256), "/payment/token"),
    ],
)
def test_an_order_has_somebody_to_call(private: PrivateData, pointer: str) -> None:
    assert pointer_of(replace(place(), private=private)) == ("invalid_request", pointer)


def test_an_order_at_its_limits_is_placed() -> None:
    lines = (replace(LATTE, quantity=99),) * 50

    assert when(None, replace(place(pay=False), lines=lines))


@pytest.mark.parametrize("token", ["", " ", "tok en", "토큰", "t" * 256, "\x00", None, 5])
def test_a_card_token_is_looked_at(token: Any) -> None:
    assert pointer_of(cmd.PayOrder("k", token), PLACED) == ("invalid_request", "/token")


@pytest.mark.parametrize("reason", ["", "\u200b", "\x00", "x" * 201, "\ud800", None, 5], ids=ascii)
def test_a_reason_is_looked_at(reason: Any) -> None:
    for command in (cmd.CancelOrder("k", reason), cmd.RejectOrder("k", reason)):
        assert pointer_of(command, *ACCEPTED_LIFE) == ("invalid_request", "/reason")


@pytest.mark.parametrize(
    "command",
    [cmd.StartPreparation, cmd.MarkReady, cmd.CompletePickup, cmd.EraseCustomer],
    ids=lambda kind: kind.__name__,
)
def test_every_command_carries_an_id(command: type) -> None:
    for command_id in ("", "k" * 301):
        assert pointer_of(command(command_id), *ACCEPTED_LIFE) == ("invalid_request", "/id")


def test_a_repeat_is_not_looked_at_again() -> None:
    """Orders that were placed before there were rules are answered as they always were."""
    placed = given(PLACED, REQUESTED)

    assert when(placed, replace(place(), private=PrivateData("\u3000", "abc", ""))) == ()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (capacity_of(-1), "/capacity"),
        (capacity_of(100_001), "/capacity"),
        (MenuItemChange("gangnam", "latte", None, -5000), "/price"),
        (MenuItemChange("gangnam", "latte", None, 0), "/price"),
        (MenuItemChange("gangnam", "latte", None, 10_000_001), "/price"),
    ],
)
async def test_the_store_refuses_a_change_that_cannot_be(
    database_url: str, change: StoreChange | MenuItemChange, pointer: str
) -> None:
    """One that comes with others spoils none of them."""
    store = StoreService(database_url)
    await store.create()
    with pytest.raises(Invalid) as refused:
        await store.handle(change)
    await store.handle(capacity_of(5))
    await store.close()
    assert refused.value.pointer == pointer


async def test_a_store_may_take_nothing_or_everything(tmp_path: Any) -> None:
    store = StoreService(Settings(data_dir=tmp_path).url("stores"))
    await store.create()
    for capacity in (0, 100_000, None):
        await store.handle(capacity_of(capacity))
    await store.handle(MenuItemChange("gangnam", "latte", None, 10_000_000))
    await store.close()
