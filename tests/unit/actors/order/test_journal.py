"""What the journal promises, on SQLite and on PostgreSQL alike."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, text, update
from sqlalchemy.exc import IntegrityError

from actors.contracts.errors import Conflict, SirenError, UnknownEvent
from actors.contracts.values import PrivateData
from actors.order.domain.events import StoredEvent
from actors.order.event_reader import Placed
from actors.order.journal import Journal
from actors.order.journal_appends import Append
from actors.order.journal_tables import events, meta
from actors.runtime.schema import Recorded
from actors.runtime.statements import Transaction
from tests.support.appends import appending, rows_everywhere, versions
from tests.support.journals import opened
from tests.support.orders import ACCEPTED_LIFE, NOON, PRIVATE

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
    assert [type(result) for result in results] == [int, Conflict, int]
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
    with pytest.raises(UnknownEvent, match="OrderTeleported"):
        await journal.load("o")
    (found,) = await journal.load_each(["o"])
    assert isinstance(found, UnknownEvent)


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
    run = journal._commits.run
    works: list[Callable[[Transaction], Any]] = []

    async def counted(work: Callable[[Transaction], Any], *rest: Any) -> Any:
        works.append(work)
        return await run(work, *rest)

    monkeypatch.setattr(journal._commits, "run", counted)
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
    seen: Placed = []

    async def write(name: str, mine: Journal) -> None:
        for n in range(30):
            await mine.append(appending(f"{name}{n}"))

    async def follow(reader: Journal) -> None:
        while len(seen) < wanted:
            seen.extend(await reader.read_after(seen[-1][0] if seen else 0, 7))

    async with asyncio.timeout(60):
        await asyncio.gather(write("a", journal), write("b", another), follow(journal))
    assert seen == await journal.read_after(0, 1000)


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
        for key in ("schema_version", "oldest_code"):
            await connection.execute(update(meta).where(meta.c.key == key).values(value="9"))
    with pytest.raises(SirenError, match="schema version 9"):
        async with opened(database_url):
            pass


async def test_a_journal_that_a_newer_version_has_only_expanded_is_used_and_left_as_it_is(
    database_url: str, journal: Journal
) -> None:
    await journal.replace("schema_version", "9")

    async with opened(database_url) as again:
        await again.append(appending("o"))

    assert await journal.schema() == Recorded(9, 3)


async def test_what_a_newer_version_noted_before_it_told_who_may_use_it_is_refused(
    database_url: str, journal: Journal
) -> None:
    async with journal.database.write() as connection:
        await connection.execute(delete(meta).where(meta.c.key == "oldest_code"))
    await journal.replace("schema_version", "9")

    with pytest.raises(SirenError, match="schema version 9"):
        async with opened(database_url):
            pass


async def test_what_is_replaced_is_recalled(journal: Journal) -> None:
    assert await journal.recall("order_hosts") is None

    await journal.replace("order_hosts", "1")
    await journal.replace("order_hosts", "3")

    assert await journal.recall("order_hosts") == "3"
    assert await journal.remember("order_hosts", "7") == "3"
