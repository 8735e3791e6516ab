"""What can be read of stores, menus and tickets while no store actor lives."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from actors.contracts.errors import Damaged, Invalid, NotFound, SirenError, Unavailable
from actors.contracts.messages import (
    MenuItemChange,
    StoreChange,
    TicketCancellation,
    TicketRequest,
    TicketUpdate,
)
from actors.contracts.values import Line
from actors.store import queries as store_queries
from actors.store.offer import MenuItem
from actors.store.queries import StoreQueries
from actors.store.service import StoreService
from actors.store.tickets import StoreMessage

NOW = datetime(2026, 3, 1, 3, tzinfo=UTC)


@pytest.fixture
async def queries(url: str) -> AsyncIterator[StoreQueries]:
    """Queries of a database whose service was created, then went away."""
    await tell(url)
    queries = StoreQueries(url)
    yield queries
    await queries.close()


async def tell(url: str, *messages: StoreMessage) -> None:
    """Let a service that lives no longer than this carry out some messages."""
    service = StoreService(url, lambda: NOW)
    await service.create()
    for message in messages:
        await service.handle(message)
    await service.close()


def request(order_id: str, store_id: str = "gangnam") -> TicketRequest:
    return TicketRequest(order_id, store_id, (Line("latte", "Latte", 2, 5000),), "Ada")


async def test_the_offer_holds_what_an_order_needs(url: str, queries: StoreQueries) -> None:
    await tell(url, MenuItemChange("gangnam", "latte", sold_out=True, price=5200))
    offer = await queries.offer("gangnam")
    assert (offer.store_id, offer.currency, offer.open, offer.full) == (
        "gangnam",
        "KRW",
        True,
        False,
    )
    assert offer.items["americano"] == MenuItem("Americano", 4500, sold_out=False)
    assert offer.items["latte"] == MenuItem("Latte", 5200, sold_out=True)


async def test_a_store_is_full_when_its_capacity_is_reached(
    url: str, queries: StoreQueries
) -> None:
    limit = StoreChange("gangnam", open=False, set_capacity=True, capacity=1)
    await tell(url, request("o-1"), limit)
    offer = await queries.offer("gangnam")
    assert (offer.open, offer.full) == (False, True)
    await tell(url, TicketUpdate("o-1", "PICKED_UP", 7, erase=False))
    assert not (await queries.offer("gangnam")).full


async def test_an_unknown_store_spoils_no_other_offer(queries: StoreQueries) -> None:
    names = ["gangnam", "atlantis", "jeju", "gangnam"]
    offers = await asyncio.gather(*map(queries.offer, names), return_exceptions=True)
    unknown = offers.pop(1)
    assert isinstance(unknown, Invalid)
    assert (unknown.code, unknown.pointer) == ("unknown_store", "/store_id")
    assert [getattr(o, "store_id", o) for o in offers] == ["gangnam", "jeju", "gangnam"]


async def test_offers_are_the_last_known_while_the_database_is_away(
    url: str, queries: StoreQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = await queries.offer("gangnam")
    monkeypatch.setattr(store_queries, "LOOK_AGAIN_S", 0)
    asked: list[object] = []

    async def away(*asked_for: object) -> None:
        asked.append(asked_for)
        raise Unavailable("database_unavailable", "nobody answers")

    with monkeypatch.context() as patch:
        patch.setattr(queries._database, "fetch", away)
        assert await queries.offer("gangnam") == known
        with pytest.raises(Unavailable, match="nobody answers"):
            await queries.offer("jeju")  # which this process has never looked at
        assert len(asked) == 2
        patch.setattr(store_queries, "LOOK_AGAIN_S", 60)
        for _ in range(3):  # not each of them waits for a server that is silent
            assert await queries.offer("gangnam") == known
        assert len(asked) == 3
    await tell(url, StoreChange("gangnam", open=False, set_capacity=False, capacity=None))
    queries._away_until = 0.0
    assert not (await queries.offer("gangnam")).open


async def test_nobody_waits_for_a_silent_database_on_behalf_of_who_asks_for_an_unknown_store(
    queries: StoreQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = await queries.offer("gangnam")
    silent = asyncio.Event()

    async def fetch(*_: object) -> None:
        await silent.wait()
        raise Unavailable("database_unavailable", "nobody answers")

    monkeypatch.setattr(queries._database, "fetch", fetch)
    silent.set()
    assert await queries.offer("gangnam") == known
    silent.clear()
    asked = [asyncio.ensure_future(queries.offer(store)) for store in ("nowhere", "gangnam")]
    done, _ = await asyncio.wait(asked, timeout=30, return_when="FIRST_COMPLETED")
    assert [answer.result() for answer in done] == [known]
    silent.set()
    with pytest.raises(Unavailable):
        await asked[0]


async def test_a_damaged_menu_is_not_gone_around_by_what_was_known(
    queries: StoreQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    await queries.offer("gangnam")

    async def damaged(*_: object) -> None:
        raise Damaged("database_damaged", "a row cannot be read")

    monkeypatch.setattr(queries._database, "fetch", damaged)
    with pytest.raises(Damaged):
        await queries.offer("gangnam")


async def test_the_demo_stores_sell_what_is_promised(queries: StoreQueries) -> None:
    stores = await queries.stores()
    assert {store["store_id"] for store in stores} == {"gangnam", "pangyo", "jeju"}
    for store in stores:
        assert (store["time_zone"], store["currency"]) == ("Asia/Seoul", "KRW")
        assert (store["open"], store["capacity"], store["queue_length"]) == (True, None, 0)
        menu = await queries.menu(store["store_id"])
        prices = {item["menu_id"]: item["price"] for item in menu}
        assert len(prices) >= 10
        assert (prices["americano"], prices["latte"], prices["bagel"]) == (4500, 5000, 3500)


async def test_a_menu_item_has_the_currency_of_its_store(queries: StoreQueries) -> None:
    assert (await queries.menu("jeju"))[0] == {
        "menu_id": "americano",
        "name": "Americano",
        "price": 4500,
        "currency": "KRW",
        "sold_out": False,
    }


async def test_a_store_tells_its_queue_and_the_wait_for_a_new_order(
    url: str, queries: StoreQueries
) -> None:
    idle = await queries.store("gangnam")
    ready = TicketUpdate("o-1", "READY", 6, erase=False)
    await tell(url, request("o-1"), request("o-2"), request("o-3"), ready)
    busy = await queries.store("gangnam")
    assert busy["queue_length"] == 2, "what is ready waits for its customer, not in the queue"
    assert busy["estimated_wait_s"] == 3 * idle["estimated_wait_s"]
    assert await queries.stores() == [
        busy if store["store_id"] == "gangnam" else store for store in await queries.stores()
    ]


async def test_what_is_unknown_is_not_found(queries: StoreQueries) -> None:
    for reading in (queries.store("atlantis"), queries.menu("atlantis")):
        with pytest.raises(NotFound) as error:
            await reading
        assert error.value.code == "store_not_found"


async def test_a_ticket_tells_the_barista_everything(url: str, queries: StoreQueries) -> None:
    await tell(url, request("o-1"))
    wait_s = (await queries.store("jeju"))["estimated_wait_s"]
    await tell(url, request("o-2", "jeju"))
    [ticket] = (await queries.tickets(store_id="jeju")).items
    assert ticket == {
        "order_id": "o-2",
        "store_id": "jeju",
        "number": "A-001",
        "status": "ACCEPTED",
        "items": [
            {
                "menu_id": "latte",
                "name": "Latte",
                "quantity": 2,
                "unit_price": 5000,
                "amount": 10000,
            }
        ],
        "customer_name": "Ada",
        "reason": None,
        "estimated_ready_at": NOW + timedelta(seconds=wait_s),
        "opened_at": NOW,
        "updated_at": NOW,
    }


async def test_tickets_are_listed_by_store_status_and_order_but_never_a_tombstone(
    url: str, queries: StoreQueries
) -> None:
    closed = StoreChange("pangyo", open=False, set_capacity=False, capacity=None)
    await tell(
        url,
        closed,
        request("opened"),
        request("canceled"),
        TicketCancellation("canceled", "gangnam"),
        TicketCancellation("never opened", "gangnam"),
        request("never opened"),
        request("refused", "pangyo"),
    )

    async def listed(**filters: str) -> list[str]:
        page = await queries.tickets(**filters)  # type: ignore[arg-type]
        return [ticket["order_id"] for ticket in page.items]

    assert await listed() == ["opened", "canceled", "refused"]
    assert await listed(store_id="gangnam") == ["opened", "canceled"]
    assert await listed(status="CANCELED") == ["canceled"]
    assert await listed(store_id="gangnam", status="ACCEPTED") == ["opened"]
    assert await listed(order_id="never opened") == []
    [refused] = (await queries.tickets(status="REJECTED")).items
    assert (refused["number"], refused["reason"]) == (None, "store_closed")


async def test_pages_are_oldest_first_and_stay_right_while_tickets_are_added(
    url: str, queries: StoreQueries
) -> None:
    await tell(url, *(request(f"o-{n}") for n in range(5)))
    first = await queries.tickets(limit=2)
    await tell(url, request("o-5"))
    second = await queries.tickets(limit=2, cursor=first.next_cursor)
    third = await queries.tickets(limit=2, cursor=second.next_cursor)
    pages = [[t["order_id"] for t in page.items] for page in (first, second, third)]
    assert pages == [["o-0", "o-1"], ["o-2", "o-3"], ["o-4", "o-5"]]
    assert third.next_cursor is None


async def test_a_cursor_from_elsewhere_is_refused(queries: StoreQueries) -> None:
    with pytest.raises(SirenError) as error:
        await queries.tickets(cursor="not-a-cursor")
    assert error.value.code == "invalid_cursor"
