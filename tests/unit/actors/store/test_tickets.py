"""What becomes of a ticket: it follows its order, and what comes late changes nothing."""

import asyncio

import pytest

from actors.contracts.messages import (
    Done,
    MenuItemChange,
    TicketCancellation,
    TicketReply,
    TicketUpdate,
)
from actors.store.queries import StoreQueries
from actors.store.service import StoreService
from tests.support.stores import doors, open_ticket, the_ticket


async def test_an_older_update_after_a_newer_one_is_ignored(
    store: StoreService, queries: StoreQueries
) -> None:
    await open_ticket(store, "o-1")
    newer = TicketUpdate("o-1", "READY", 6, erase=False)
    older = TicketUpdate("o-1", "PREPARING", 5, erase=False)
    for reply in await asyncio.gather(store.handle(newer), store.handle(older)):
        assert reply == Done()
    assert await store.handle(older) == Done()
    assert (await the_ticket(queries, "o-1"))["status"] == "READY"


async def test_an_update_of_an_unknown_order_is_acknowledged_and_leaves_nothing(
    store: StoreService, queries: StoreQueries
) -> None:
    assert await store.handle(TicketUpdate("o-1", "READY", 6, erase=False)) == Done()
    assert (await queries.tickets()).items == []
    assert (await open_ticket(store, "o-1")).status == "ACCEPTED"


async def test_erasing_drops_the_name_and_a_late_update_does_not_bring_it_back(
    store: StoreService, queries: StoreQueries
) -> None:
    await open_ticket(store, "o-1")
    assert (await the_ticket(queries, "o-1"))["customer_name"] == "Ada"
    await store.handle(TicketUpdate("o-1", "ACCEPTED", 6, erase=True))
    await store.handle(TicketUpdate("o-1", "PREPARING", 5, erase=False))
    await open_ticket(store, "o-1")
    assert (await the_ticket(queries, "o-1"))["customer_name"] is None


async def test_a_price_change_does_not_touch_opened_tickets(
    store: StoreService, queries: StoreQueries
) -> None:
    await open_ticket(store, "o-1")
    before = await the_ticket(queries, "o-1")
    await store.handle(MenuItemChange("gangnam", "americano", sold_out=None, price=9900))
    assert await the_ticket(queries, "o-1") == before
    assert (await open_ticket(store, "o-2")).status == "ACCEPTED", "no refusal over a price"


@pytest.mark.parametrize("status", ["ACCEPTED", "PREPARING", "READY"])
async def test_cancelling_cancels_whatever_the_barista_does(
    store: StoreService, queries: StoreQueries, status: str
) -> None:
    await open_ticket(store, "o-1")
    await store.handle(TicketUpdate("o-1", status, 5, erase=False))
    for _ in range(2):
        reply = await store.handle(TicketCancellation("o-1", "gangnam"))
        assert reply == TicketReply("CANCELED")
    assert (await the_ticket(queries, "o-1"))["status"] == "CANCELED"
    assert (await queries.store("gangnam"))["queue_length"] == 0


async def test_a_ticket_that_comes_after_its_cancellation_is_not_opened(
    store: StoreService, queries: StoreQueries
) -> None:
    for _ in range(2):
        reply = await store.handle(TicketCancellation("o-1", "gangnam"))
        assert reply == TicketReply("CANCELED")
        assert await open_ticket(store, "o-1") == TicketReply("CANCELED")
    assert (await queries.tickets()).items == []
    assert (await open_ticket(store, "o-2")).number == "A-001"


async def test_a_refused_ticket_can_be_cancelled(store: StoreService) -> None:
    """The refusal's answer may have been lost when the customer cancels."""
    await store.handle(doors(is_open=False))
    await open_ticket(store, "o-1")
    assert await store.handle(TicketCancellation("o-1", "gangnam")) == TicketReply("CANCELED")


async def test_an_update_that_was_on_its_way_does_not_revive_a_cancelled_ticket(
    store: StoreService, queries: StoreQueries
) -> None:
    await open_ticket(store, "o-1")
    await store.handle(TicketCancellation("o-1", "gangnam"))
    await store.handle(TicketUpdate("o-1", "ACCEPTED", 5, erase=True))
    ticket = await the_ticket(queries, "o-1")
    assert (ticket["status"], ticket["customer_name"]) == ("CANCELED", None)
    assert (await queries.store("gangnam"))["queue_length"] == 0
