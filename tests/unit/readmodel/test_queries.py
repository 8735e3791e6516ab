"""Reading the view: details, pages and the wait for a newer version."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest

from actors.contracts.errors import Invalid, Unavailable
from actors.contracts.values import Line, PrivateData
from actors.order.domain.events import Event, OrderCanceled, OrderPlaced, StoredEvent
from actors.order.journal import Journal
from actors.order.journal_appends import Append
from actors.runtime.batching import LARGEST_BATCH
from actors.runtime.paging import Page
from readmodel import queries
from readmodel.projection import Projection
from readmodel.queries import DetailRow, OrderDetails, Watcher
from readmodel.tables import create_tables, open_database
from tests.support.cursors import by_hand

NOW = datetime(2025, 3, 1, 9, tzinfo=UTC)


class View:
    """A view that follows its journal as soon as something is appended."""

    def __init__(self, journal: Journal, projection: Projection) -> None:
        self._journal = journal
        self._projection = projection

    async def place(
        self, order_id: str, customer_id: str = "c-1", store_id: str = "gangnam"
    ) -> None:
        lines = (Line("latte", "Latte", 1, 5000),)
        placed = OrderPlaced(customer_id, store_id, lines, 5000, "KRW", "0" * 64, NOW)
        await self._append(order_id, 1, placed, PrivateData("someone", "010-0000-0000"))

    async def cancel(self, order_id: str) -> None:
        await self._append(order_id, 2, OrderCanceled("changed my mind", "customer"))

    async def _append(
        self, order_id: str, version: int, event: Event, private: PrivateData | None = None
    ) -> None:
        stored = StoredEvent(order_id, version, event, NOW, f"command-{version}")
        append = Append(order_id, version - 1, (stored,), due_at=None, private=private)
        await self._journal.append(append)
        await self._projection.catch_up()


@pytest.fixture
async def view_url(database_url: str) -> str:
    """PostgreSQL holds everything in one database; SQLite has a file for each service."""
    url = database_url.replace("test.db", "readmodel.db")
    await create_tables(url)
    return url


@pytest.fixture
async def details(view_url: str) -> AsyncIterator[OrderDetails]:
    details = OrderDetails(view_url)
    yield details
    await details.close()


@pytest.fixture
async def view(database_url: str, view_url: str) -> AsyncIterator[View]:
    journal, database = Journal(database_url), open_database(view_url)
    await journal.create()
    yield View(journal, Projection(journal, database))
    await journal.close()
    await database.close()


def ids(page: Page) -> list[str]:
    return [msgspec.json.decode(body)["order_id"] for body in page.items]


async def test_a_view_that_no_projector_ever_touched_can_be_read(details: OrderDetails) -> None:
    assert await details.get("a") is None
    assert await details.page() == Page([], None)
    assert await details.position() == 0
    assert await Watcher(details).wait_beyond("a", 0, timeout=0) is None


async def test_creating_the_tables_again_keeps_what_is_there(
    details: OrderDetails, view: View, view_url: str
) -> None:
    await view.place("a")
    await create_tables(view_url)
    assert await details.get("a") is not None
    assert await details.position() == 1


async def test_a_detail_is_the_response_ready_json_and_its_version(
    details: OrderDetails, view: View
) -> None:
    await view.place("a")
    await view.cancel("a")
    row = await details.get("a")
    assert row is not None
    assert row.version == 2
    body = msgspec.json.decode(row.body)
    assert body["order_status"] == "CANCELED"
    assert body["customer"] == {"id": "c-1", "name": "someone", "tel": "010-0000-0000"}
    assert body["placed_at"] == "2025-03-01T09:00:00Z"


async def test_many_readers_share_one_query(
    details: OrderDetails, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await view.place(f"order-{number}")
    queries = []
    changed = details.changed

    async def counted(order_ids: list[str], since: int) -> dict[str, Any]:
        queries.append(order_ids)
        return {**await changed(order_ids, since)}

    monkeypatch.setattr(details, "changed", counted)
    asked = [f"order-{number % 4}" for number in range(LARGEST_BATCH)]
    rows = await asyncio.gather(*(details.get(order_id) for order_id in asked))
    found = [row and msgspec.json.decode(row.body)["order_id"] for row in rows]
    assert found == [None if order_id == "order-3" else order_id for order_id in asked]
    assert len(queries) == 1


async def test_pages_run_from_the_newest_order_to_the_oldest(
    details: OrderDetails, view: View
) -> None:
    for order_id in "abcd":
        await view.place(order_id)
    await view.cancel("a")  # a change does not move an order
    first = await details.page(limit=2)
    assert ids(first) == ["d", "c"]
    last = await details.page(limit=2, cursor=first.next_cursor)
    assert ids(last) == ["b", "a"]
    assert last.next_cursor is None


async def test_orders_placed_while_turning_pages_shift_nothing(
    details: OrderDetails, view: View
) -> None:
    for order_id in "abc":
        await view.place(order_id)
    first = await details.page(limit=2)
    await view.place("d")
    assert ids(await details.page(limit=2, cursor=first.next_cursor)) == ["a"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["d", "c", "b", "a"]),
        ({"customer_id": "c-1"}, ["c", "a"]),
        ({"store_id": "jeju"}, ["d", "c"]),
        ({"order_status": "CANCELED"}, ["d", "a"]),
        ({"customer_id": "c-1", "order_status": "PLACED"}, ["c"]),
        ({"customer_id": "c-2", "store_id": "jeju", "order_status": "CANCELED"}, ["d"]),
        ({"customer_id": "nobody"}, []),
    ],
)
async def test_filters_narrow_a_list_and_its_pages(
    details: OrderDetails, view: View, filters: dict[str, str], expected: list[str]
) -> None:
    await view.place("a", "c-1", "gangnam")
    await view.place("b", "c-2", "gangnam")
    await view.place("c", "c-1", "jeju")
    await view.place("d", "c-2", "jeju")
    await view.cancel("a")
    await view.cancel("d")
    found, cursor = [], None
    while True:
        page = await details.page(**filters, limit=1, cursor=cursor)
        found += ids(page)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == expected


@pytest.mark.parametrize(
    "cursor",
    ["", "nonsense", "한", by_hand("a\0b"), by_hand("x", "y"), by_hand(1)],
)
async def test_a_cursor_that_was_not_made_here_is_refused(
    details: OrderDetails, cursor: str
) -> None:
    with pytest.raises(Invalid, match="invalid_cursor"):
        await details.page(cursor=cursor)


# --- waiting --------------------------------------------------------------------------------------


class Counting:
    """What a watcher reads, with the number of orders of each of its looks."""

    def __init__(self, details: OrderDetails) -> None:
        self.asked: list[int] = []
        self.get, self.position = details.get, details.position
        self._changed = details.changed

    async def changed(self, order_ids: list[str], since: int) -> dict[str, DetailRow]:
        self.asked.append(len(order_ids))
        return await self._changed(order_ids, since)


async def start_waiting(
    watcher: Watcher, order_id: str, version: int
) -> asyncio.Task[dict[str, Any] | None]:
    """Return once the watch stands and the view is being polled."""

    async def wait() -> dict[str, Any] | None:
        row = await watcher.wait_beyond(order_id, version, timeout=30)
        return msgspec.json.decode(row.body) if row else None

    def watches() -> int:
        return sum(len(each) for each in watcher._watched.values())

    before = watches()
    task = asyncio.create_task(wait())
    while watches() == before or watcher._poll is None:  # noqa: ASYNC110 - it has no event for it
        await asyncio.sleep(0)
    return task


async def test_a_watcher_wakes_when_the_order_changes(details: OrderDetails, view: View) -> None:
    await view.place("a")
    waiting = await start_waiting(Watcher(details), "a", version=1)
    await view.cancel("a")
    body = await waiting
    assert body is not None
    assert body["version"] == 2


async def test_a_watcher_wakes_when_an_order_appears(details: OrderDetails, view: View) -> None:
    waiting = await start_waiting(Watcher(details), "a", version=0)
    await view.place("a")
    assert await waiting is not None


async def test_whoever_asks_for_what_is_there_does_not_wait(
    details: OrderDetails, view: View
) -> None:
    await view.place("a")
    watcher = Watcher(details)
    row = await watcher.wait_beyond("a", 0, timeout=0)
    assert row is not None
    assert row.version == 1
    assert watcher._poll is None


async def test_a_change_wakes_only_those_who_have_not_seen_it(
    details: OrderDetails, view: View
) -> None:
    for order_id in ("a", "b"):
        await view.place(order_id)
    watcher = Watcher(details)
    behind = [await start_waiting(watcher, "a", version=1) for _ in range(2)]
    ahead = await start_waiting(watcher, "a", version=2)
    other = await start_waiting(watcher, "b", version=1)
    await view.cancel("a")
    await asyncio.gather(*behind)
    assert not ahead.done()
    assert not other.done()
    await view.cancel("b")
    assert await other is not None
    ahead.cancel()


async def test_many_who_wait_are_looked_up_a_few_at_a_time_and_all_are_woken(
    details: OrderDetails, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "LOOK_UP", 2)
    counting = Counting(details)
    names = [f"order-{n}" for n in range(5)]
    for name in names:
        await view.place(name)
    watcher = Watcher(cast(OrderDetails, counting))
    waiting = [await start_waiting(watcher, name, version=1) for name in names]
    for name in names:
        await view.cancel(name)
    rows = await asyncio.gather(*waiting)
    assert [row and row["version"] for row in rows] == [2] * 5
    assert max(counting.asked) == 2


async def test_waiting_ends_without_an_answer_when_nothing_changes(
    details: OrderDetails, view: View
) -> None:
    await view.place("a")
    assert await Watcher(details).wait_beyond("a", 1, timeout=0.01) is None


async def test_nothing_is_polled_once_nobody_watches(details: OrderDetails, view: View) -> None:
    await view.place("a")
    watcher = Watcher(details)
    waiting = await start_waiting(watcher, "a", version=1)
    poll = watcher._poll
    assert poll is not None
    waiting.cancel()
    await poll
    assert watcher._poll is None
    assert not watcher._watched


async def test_those_who_wait_are_told_when_the_view_cannot_be_read(
    details: OrderDetails, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    await view.place("a")
    watcher = Watcher(details)
    waiting = await start_waiting(watcher, "a", version=1)

    async def unreachable() -> int:
        raise Unavailable("database_unavailable", "gone")

    monkeypatch.setattr(details, "position", unreachable)
    with pytest.raises(Unavailable):
        await waiting
    monkeypatch.undo()
    again = await start_waiting(watcher, "a", version=1)
    await view.cancel("a")
    assert await again is not None
