"""The store service without Ray: what it accepts and refuses, and that repeats are harmless."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from actors.contracts.errors import NotFound
from actors.contracts.messages import (
    MenuItemChange,
    StoreChange,
    TicketCancellation,
    TicketReply,
    TicketUpdate,
)
from actors.store.pickup_numbers import pickup_number
from actors.store.queries import StoreQueries
from actors.store.service import StoreService
from tests.support.stores import NOON, Clock, doors, open_ticket, request

GANGNAM_PREPARE_S = 45


def limit(capacity: int | None) -> StoreChange:
    return StoreChange("gangnam", open=None, set_capacity=True, capacity=capacity)


def sold_out(menu_id: str, *, is_sold_out: bool = True) -> MenuItemChange:
    return MenuItemChange("gangnam", menu_id, sold_out=is_sold_out, price=None)


# --- opening ------------------------------------------------------------------------------------


async def test_an_order_gets_a_number_and_an_estimate(store: StoreService) -> None:
    reply = await open_ticket(store, "o-1")
    ready = NOON + timedelta(seconds=GANGNAM_PREPARE_S)
    assert reply == TicketReply("ACCEPTED", "A-001", ready, None)


async def test_the_estimate_grows_with_the_queue_and_shrinks_when_an_order_is_ready(
    store: StoreService,
) -> None:
    first, second = await asyncio.gather(open_ticket(store, "o-1"), open_ticket(store, "o-2"))
    await store.handle(TicketUpdate("o-1", "PREPARING", 5, erase=False))
    third = await open_ticket(store, "o-3")
    await store.handle(TicketUpdate("o-1", "READY", 6, erase=False))
    fourth = await open_ticket(store, "o-4")
    waits = [
        (reply.estimated_ready_at - NOON).total_seconds() / GANGNAM_PREPARE_S
        for reply in (first, second, third, fourth)
        if reply.estimated_ready_at is not None
    ]
    assert waits == [1, 2, 3, 3]


async def test_opening_twice_gives_one_ticket_and_one_number(
    store: StoreService, queries: StoreQueries
) -> None:
    first = await open_ticket(store, "o-1")
    assert await open_ticket(store, "o-1") == first
    assert (await open_ticket(store, "o-2")).number == "A-002"
    assert len((await queries.tickets()).items) == 2


async def test_opening_twice_in_one_batch_gives_one_ticket(
    store: StoreService, queries: StoreQueries
) -> None:
    first, again = await asyncio.gather(open_ticket(store, "o-1"), open_ticket(store, "o-1"))
    assert first == again
    assert len((await queries.tickets()).items) == 1


async def test_a_repeat_tells_the_ticket_as_it_stands(store: StoreService, clock: Clock) -> None:
    first = await open_ticket(store, "o-1")
    await store.handle(TicketUpdate("o-1", "READY", 6, erase=False))
    clock.now += timedelta(days=1)
    repeat = await open_ticket(store, "o-1")
    assert repeat == TicketReply("READY", first.number, first.estimated_ready_at)


async def test_parallel_orders_get_distinct_numbers_without_gaps(store: StoreService) -> None:
    replies = await asyncio.gather(*(open_ticket(store, f"o-{n}") for n in range(200)))
    assert {reply.number for reply in replies} == {pickup_number(n) for n in range(1, 201)}


async def test_two_services_on_one_database_give_no_number_twice(
    store: StoreService, url: str, clock: Clock
) -> None:
    """A rolling upgrade has two stores for a while."""
    other = StoreService(url, clock)
    both = (store, other)
    replies = await asyncio.gather(*(open_ticket(both[n % 2], f"o-{n}") for n in range(40)))
    await other.close()
    assert {reply.number for reply in replies} == {pickup_number(n) for n in range(1, 41)}


async def test_every_store_counts_for_itself(store: StoreService) -> None:
    await open_ticket(store, "o-1")
    assert (await open_ticket(store, "o-2", store_id="jeju")).number == "A-001"


async def test_numbers_restart_at_midnight_of_the_store(store: StoreService, clock: Clock) -> None:
    clock.now = datetime(2026, 3, 1, 14, 59, tzinfo=UTC)
    await open_ticket(store, "late")
    await store.handle(TicketUpdate("late", "PICKED_UP", 7, erase=False))
    clock.now = datetime(2026, 3, 1, 15, 1, tzinfo=UTC)
    assert (await open_ticket(store, "past midnight in Seoul")).number == "A-001"
    clock.now = datetime(2026, 3, 2, 0, 1, tzinfo=UTC)
    assert (await open_ticket(store, "past midnight in UTC")).number == "A-002"


async def test_a_clock_set_back_over_midnight_gives_no_number_twice(
    store: StoreService, clock: Clock
) -> None:
    clock.now = datetime(2026, 3, 1, 15, 0, 1, tzinfo=UTC)
    await open_ticket(store, "o-1")
    clock.now -= timedelta(seconds=2)
    assert (await open_ticket(store, "o-2")).number == "A-002"


async def test_a_restart_keeps_tickets_numbers_and_queue(
    store: StoreService, url: str, clock: Clock
) -> None:
    first = await open_ticket(store, "o-1")
    await store.close()
    restarted = StoreService(url, clock)
    await restarted.create()
    assert await open_ticket(restarted, "o-1") == first
    second = await open_ticket(restarted, "o-2")
    await restarted.close()
    ready = NOON + timedelta(seconds=2 * GANGNAM_PREPARE_S)
    assert second == TicketReply("ACCEPTED", "A-002", ready)


# --- refusing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "undo", "reason"),
    [
        (doors(is_open=False), doors(is_open=True), "store_closed"),
        (sold_out("americano"), sold_out("americano", is_sold_out=False), "sold_out"),
        (limit(0), limit(None), "store_full"),
    ],
)
async def test_a_refusal_is_remembered_after_its_reason_is_gone(
    store: StoreService, change: StoreChange, undo: StoreChange, reason: str
) -> None:
    await store.handle(change)
    refused = await open_ticket(store, "o-1")
    await store.handle(undo)
    assert refused == TicketReply("REJECTED", reason=reason)
    assert await open_ticket(store, "o-1") == refused
    assert (await open_ticket(store, "o-2")).number == "A-001", "a refusal uses up no number"


async def test_an_unknown_store_refuses(store: StoreService) -> None:
    for _ in range(2):
        reply = await open_ticket(store, "o-1", store_id="atlantis")
        assert reply == TicketReply("REJECTED", reason="unknown_store")


async def test_what_is_not_on_the_menu_cannot_be_made(store: StoreService) -> None:
    reply = await open_ticket(store, "o-1", menu_id="tangerine-ade")  # sold in Jeju alone
    assert reply == TicketReply("REJECTED", reason="sold_out")


async def test_something_sold_out_elsewhere_is_made_here(store: StoreService) -> None:
    await store.handle(sold_out("americano"))
    here, there = await asyncio.gather(
        open_ticket(store, "o-1", menu_id="latte"), open_ticket(store, "o-2", store_id="jeju")
    )
    assert (here.status, there.status) == ("ACCEPTED", "ACCEPTED")


async def test_the_capacity_holds_within_one_batch(store: StoreService) -> None:
    await store.handle(limit(3))
    replies = await asyncio.gather(*(open_ticket(store, f"o-{n}") for n in range(5)))
    assert [reply.status for reply in replies] == ["ACCEPTED"] * 3 + ["REJECTED"] * 2


@pytest.mark.parametrize(
    ("message", "next_order"),
    [
        (TicketUpdate("o-1", "PREPARING", 5, erase=False), "REJECTED"),
        (TicketUpdate("o-1", "READY", 6, erase=False), "REJECTED"),
        (TicketUpdate("o-1", "PICKED_UP", 7, erase=False), "ACCEPTED"),
        (TicketUpdate("o-1", "REJECTED", 7, erase=False), "ACCEPTED"),
        (TicketCancellation("o-1", "gangnam"), "ACCEPTED"),
    ],
)
async def test_a_place_is_free_once_a_ticket_is_over(
    store: StoreService, message: TicketUpdate | TicketCancellation, next_order: str
) -> None:
    await store.handle(limit(1))
    _, _, _, reply = await asyncio.gather(
        open_ticket(store, "o-1"),
        store.handle(message),
        store.handle(message),
        open_ticket(store, "o-2"),
    )
    assert reply.status == next_order


# --- batches and changes ------------------------------------------------------------------------


async def test_a_bad_message_does_not_spoil_its_batch(store: StoreService) -> None:
    unknown_store = StoreChange("atlantis", open=False, set_capacity=False, capacity=None)
    unknown_item = MenuItemChange("gangnam", "absinthe", sold_out=True, price=None)
    first, no_store, no_item, second = await asyncio.gather(
        store.handle(request("o-1")),
        store.handle(unknown_store),
        store.handle(unknown_item),
        store.handle(request("o-2")),
        return_exceptions=True,
    )
    assert isinstance(no_store, NotFound)
    assert no_store.code == "store_not_found"
    assert isinstance(no_item, NotFound)
    assert no_item.code == "menu_item_not_found"
    assert isinstance(first, TicketReply)
    assert isinstance(second, TicketReply)
    assert (first.number, second.number) == ("A-001", "A-002")


async def test_messages_of_a_batch_take_effect_in_order_of_arrival(store: StoreService) -> None:
    before, _, between, _, after = await asyncio.gather(
        open_ticket(store, "o-1"),
        store.handle(doors(is_open=False)),
        open_ticket(store, "o-2"),
        store.handle(doors(is_open=True)),
        open_ticket(store, "o-3"),
    )
    assert [r.status for r in (before, between, after)] == ["ACCEPTED", "REJECTED", "ACCEPTED"]


async def test_a_change_leaves_alone_what_it_does_not_name(
    store: StoreService, queries: StoreQueries
) -> None:
    await store.handle(limit(5))
    await store.handle(doors(is_open=False))
    gangnam = await queries.store("gangnam")
    assert (gangnam["open"], gangnam["capacity"]) == (False, 5)
    await store.handle(limit(None))
    gangnam = await queries.store("gangnam")
    assert (gangnam["open"], gangnam["capacity"]) == (False, None)


async def test_starting_again_does_not_bring_the_demo_data_back(
    store: StoreService, queries: StoreQueries
) -> None:
    await store.handle(MenuItemChange("gangnam", "americano", sold_out=None, price=4700))
    await store.create()
    [americano] = [i for i in await queries.menu("gangnam") if i["menu_id"] == "americano"]
    assert americano["price"] == 4700
