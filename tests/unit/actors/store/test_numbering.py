"""No two tickets on a store's board share a number, whatever the clock is set to."""

import asyncio
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.contracts.messages import TicketCancellation, TicketReply, TicketRequest, TicketUpdate
from actors.contracts.values import Line
from actors.store.pickup_numbers import Numbering, local_day, pickup_number, place_of
from actors.store.queries import StoreQueries
from actors.store.service import StoreService
from tests.support.stores import Clock

DAY = timedelta(days=1)
STANDING = ("ACCEPTED", "PREPARING", "READY")


@pytest.fixture
def url(database_url: str) -> str:
    """On both kinds of databases."""
    return database_url


async def number(store: StoreService, order_id: str, store_id: str = "gangnam") -> str:
    lines = (Line("americano", "Americano", 2, 4500),)
    reply = await store.handle(TicketRequest(order_id, store_id, lines, "Ada"))
    assert isinstance(reply, TicketReply)
    assert reply.number is not None
    return reply.number


async def collect(store: StoreService, order_id: str) -> None:
    await store.handle(TicketUpdate(order_id, "PICKED_UP", 9, erase=False))


@given(st.integers(1, 10_000_000))
def test_a_number_tells_its_place(place: int) -> None:
    assert place_of(pickup_number(place)) == place


def test_an_uncollected_number_is_passed_over_the_next_day() -> None:
    numbering = Numbering.of("2026-03-02", "", map(pickup_number, (7, 1, 2, 4, 3, 1000)))
    assert numbering.taken == [(1, 4), (7, 7), (1000, 1000)]
    assert [numbering.after(last) for last in (0, 5, 6, 999)] == [5, 6, 8, 1001]


async def test_the_day_after_begins_at_the_first_number_that_does_not_stand(
    store: StoreService, clock: Clock
) -> None:
    assert await number(store, "uncollected") == "A-001"
    assert await number(store, "collected") == "A-002"
    assert await number(store, "ready") == "A-003"
    await collect(store, "collected")
    await store.handle(TicketUpdate("ready", "READY", 6, erase=False))
    clock.now += DAY
    assert await number(store, "first") == "A-002"
    assert await number(store, "second") == "A-004"
    assert await number(store, "elsewhere", "jeju") == "A-001"


async def test_a_jump_forward_and_back_gives_no_number_twice_on_the_board_or_on_a_day(
    store: StoreService, clock: Clock
) -> None:
    assert [await number(store, f"today {n}") for n in range(3)] == ["A-001", "A-002", "A-003"]
    clock.now += 365 * DAY
    assert await number(store, "in a year") == "A-004"
    clock.now -= 365 * DAY
    assert await number(store, "today again") == "A-005"
    clock.now += DAY
    for order_id in ("today 0", "today 1", "today 2", "in a year"):
        await collect(store, order_id)
    assert await number(store, "tomorrow") == "A-001", "numbers restart all the same"


async def test_a_day_that_comes_back_goes_on_where_it_was(
    store: StoreService, clock: Clock
) -> None:
    for n in range(3):
        await number(store, f"today {n}")
        await collect(store, f"today {n}")
    clock.now += DAY
    assert await number(store, "tomorrow") == "A-001"
    await collect(store, "tomorrow")
    clock.now -= DAY
    assert await number(store, "today 3") == "A-004"
    clock.now += DAY
    assert await number(store, "tomorrow 1") == "A-002"


async def test_an_uncollected_number_that_was_cancelled_is_free_the_day_after_that(
    store: StoreService, clock: Clock
) -> None:
    await number(store, "o-1")
    clock.now += DAY
    assert await number(store, "o-2") == "A-002"
    await store.handle(TicketCancellation("o-1", "gangnam"))
    clock.now += DAY
    assert await number(store, "o-3") == "A-001"


async def test_a_database_of_an_earlier_version_goes_on(tmp_path: Path, clock: Clock) -> None:
    """It has no column for what stands, and tickets of yesterday on its board."""
    path = tmp_path / "stores.db"
    url = f"sqlite+aiosqlite:///{path}"
    before = StoreService(url, clock)
    await before.create()
    await number(before, "yesterday")
    clock.now += DAY
    await before.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("ALTER TABLE stores DROP COLUMN numbering")
        database.execute("DROP TABLE schemas")  # nor did it say which schema it has
        database.execute("UPDATE stores SET number_day = '2026-03-02', last_number = 0")

    store = StoreService(url, clock)
    await store.create()
    assert await number(store, "today") == "A-002"
    assert await number(store, "today too") == "A-003"
    queries = StoreQueries(url)
    assert (await queries.store("gangnam"))["queue_length"] == 3
    await queries.close()
    await store.close()


MOVES = st.one_of(
    st.tuples(st.just("open"), st.integers(1, 3)),
    st.tuples(st.just("end"), st.integers(0, 50)),
    st.tuples(
        st.just("clock"),
        st.one_of(
            st.integers(-72, 72).map(lambda hours: timedelta(hours=hours)),
            st.sampled_from([-365 * DAY, -DAY, DAY, 365 * DAY, timedelta(seconds=-1)]),
        ),
    ),
    st.tuples(st.just("restart"), st.none()),
)


@settings(
    max_examples=2 * settings().max_examples // 5,
    suppress_health_check=[*settings().suppress_health_check, HealthCheck.function_scoped_fixture],
)
@given(moves=st.lists(MOVES, max_size=30))
def test_whatever_the_clock_does(moves: list[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_whatever_the_clock_does(Path(folder), moves))


async def _whatever_the_clock_does(folder: Path, moves: list[tuple[str, object]]) -> None:
    url, clock = f"sqlite+aiosqlite:///{folder}/stores.db", Clock()
    store = StoreService(url, clock)
    await store.create()
    standing: dict[str, str] = {}
    given_on: Counter[tuple[str, str]] = Counter()
    for kind, value in moves:
        if kind == "open":
            today = local_day(clock.now, "Asia/Seoul")
            assert isinstance(value, int)
            names = [f"o-{given_on.total() + n}" for n in range(value)]
            fresh = not standing and not any(day == today for day, _ in given_on)
            numbers = await asyncio.gather(*(number(store, name) for name in names))
            assert not set(numbers) & set(standing.values()), "two on one board"
            assert len(set(numbers)) == len(numbers)
            assert not fresh or numbers[0] == "A-001", "numbers restart"
            standing.update(zip(names, numbers, strict=True))
            given_on.update((today, each) for each in numbers)
            assert max(given_on.values()) == 1, "twice on one day"
        elif kind == "end" and standing:
            assert isinstance(value, int)
            order_id = sorted(standing)[value % len(standing)]
            del standing[order_id]
            await collect(store, order_id)
        elif kind == "clock":
            assert isinstance(value, timedelta)
            clock.now += value
        elif kind == "restart":
            await store.close()
            store = StoreService(url, clock)
            await store.create()
    await store.close()
