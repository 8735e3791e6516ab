"""The projection: the view is the fold of the journal, each event folded in exactly once."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import Connection, Table, delete, inspect, select, text, update

from actors.contracts.errors import Conflict, Damaged, Rejected, UnknownEvent
from actors.contracts.values import Line, PrivateData
from actors.installation import Installation
from actors.order import event_codec
from actors.order.domain import commands as cmd
from actors.order.domain.decisions import decide
from actors.order.domain.detail import detail
from actors.order.domain.events import PaymentRequested, StoredEvent
from actors.order.domain.order import Order, fold
from actors.order.journal import Journal
from actors.order.journal_appends import Append
from actors.order.journal_tables import events, order_keys, order_private
from actors.runtime.batching import LARGEST_BATCH
from actors.runtime.database import Database
from actors.runtime.message_codec import to_json
from actors.runtime.statements import Transaction
from actors.settings import Settings
from readmodel import projection as projection_module
from readmodel import projector
from readmodel.projection import JournalReplaced, Projection
from readmodel.projector import ProjectionActor, rebuild
from readmodel.queries import OrderDetails, Watcher
from readmodel.tables import (
    FILTERS,
    LIVE,
    SHADOW,
    checkpoint,
    create_tables,
    open_database,
    order_detail,
)

START = datetime(2025, 3, 1, 9, tzinfo=UTC)
LINES = (Line("americano", "Americano", 2, 4500),)


class Shop:
    """Orders that really happen: whatever `decide` allows is appended to the journal."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.orders: dict[str, Order] = {}
        self._clock = START
        self._commands = 0

    async def place(self, order_id: str, *, pay: bool = True) -> None:
        order = cmd.PlaceOrder(
            id=self._next_id(),
            customer_id=f"c-{len(self.orders) % 3}",
            store_id="gangnam",
            lines=LINES,
            currency="KRW",
            body_hash="0" * 64,
            payment_due=START + timedelta(days=1),
            pay=pay,
            private=PrivateData(f"name of {order_id}", "010-1234-5678", "tok_approve"),
        )
        await self._carry_out(order_id, order)

    async def do(self, order_id: str, command: type, **fields: object) -> None:
        await self._carry_out(order_id, command(id=self._next_id(), **fields))

    async def deliver(self, order_id: str) -> None:
        await self.place(order_id)
        await self.do(order_id, cmd.RecordApproval, attempt=1, payment_id="p-1")
        await self.do(order_id, cmd.RecordTicket, number="A-001", estimated_ready_at=START)
        for step in (cmd.StartPreparation, cmd.MarkReady, cmd.CompletePickup):
            await self.do(order_id, step)

    async def something(self, chance: random.Random) -> None:
        """Place an order, or try something on one."""
        if len(self.orders) < 3 or (len(self.orders) < 12 and chance.random() < 0.2):
            await self.place(f"order-{len(self.orders)}", pay=chance.random() < 0.7)
            return
        try:
            command = _random_command(chance, self._next_id())
            await self._carry_out(chance.choice(list(self.orders)), command)
        except Rejected:
            pass  # the business said no: nothing was appended

    async def _carry_out(self, order_id: str, command: cmd.Command) -> None:
        order = self.orders.get(order_id)
        version = order.version if order else 0
        self._clock += timedelta(seconds=1)
        stored = tuple(
            StoredEvent(order_id, version + i, event, self._clock, command.id)
            for i, event in enumerate(decide(order, command, self._clock), start=1)
        )
        if not stored:
            return
        await self.journal.append(
            Append(
                order_id,
                version,
                stored,
                due_at=None,
                private=command.private if isinstance(command, cmd.PlaceOrder) else None,
                erase=isinstance(command, cmd.EraseCustomer),
            )
        )
        folded = fold(stored, order)
        assert folded is not None
        self.orders[order_id] = folded

    def _next_id(self) -> str:
        self._commands += 1
        return f"command-{self._commands}"


def _random_command(chance: random.Random, command_id: str) -> cmd.Command:
    attempt = chance.randint(1, 3)
    commands: list[cmd.Command] = [
        cmd.PayOrder(command_id, "tok_approve"),
        cmd.RecordApproval(command_id, attempt, f"p-{attempt}"),
        cmd.RecordDecline(command_id, attempt, f"p-{attempt}"),
        cmd.RecordTicket(command_id, "A-001", START),
        cmd.RecordTicketRejection(command_id, "sold_out"),
        cmd.StartPreparation(command_id),
        cmd.MarkReady(command_id),
        cmd.CompletePickup(command_id),
        cmd.CancelOrder(command_id, "changed my mind"),
        cmd.RejectOrder(command_id, "machine broke"),
        cmd.RecordTicketCanceled(command_id),
        cmd.RecordPaymentCanceled(command_id, None),
        cmd.EraseCustomer(command_id),
    ]
    return chance.choice(commands)


@pytest.fixture
def view_url(database_url: str) -> str:
    """PostgreSQL holds everything in one database; SQLite has a file for each service."""
    return database_url.replace("test.db", "readmodel.db")


@pytest.fixture
async def journal(database_url: str) -> AsyncIterator[Journal]:
    journal = Journal(database_url)
    await journal.create()
    yield journal
    await journal.close()


@pytest.fixture
async def view(view_url: str) -> AsyncIterator[Database]:
    await create_tables(view_url)
    database = open_database(view_url)
    yield database
    await database.close()


@pytest.fixture
async def details(view: Database, view_url: str) -> AsyncIterator[OrderDetails]:  # noqa: ARG001 - creates the tables
    details = OrderDetails(view_url)
    yield details
    await details.close()


@pytest.fixture
def shop(journal: Journal) -> Shop:
    return Shop(journal)


async def bodies(view: Database) -> dict[str, str]:
    async with view.read() as connection:
        query = select(order_detail.c.order_id, order_detail.c.body)
        return {row.order_id: row.body for row in await connection.execute(query)}


async def position(view: Database) -> int:
    async with view.read() as connection:
        query = select(checkpoint.c.position).where(checkpoint.c.name == LIVE)
        return int(await connection.scalar(query) or 0)


async def assert_view_is_the_fold(view: Database, journal: Journal) -> None:
    """Fold each order's whole history afresh and compare rows, places and checkpoint."""
    history = await journal.read_after(0, 100_000)
    expected = {}
    for order_id in {stored.order_id for _, stored in history}:
        mine = [(at, stored) for at, stored in history if stored.order_id == order_id]
        order = fold(stored for _, stored in mine)
        assert order is not None
        private = (await journal.load(order_id)).private
        body = to_json(detail(order, private)).decode()
        columns = (order.customer_id, order.store_id, order.status)
        expected[order_id] = (mine[0][0], order.version, *columns, mine[-1][0], body)
    async with view.read() as connection:
        rows = await connection.execute(select(order_detail))
        found = {
            row.order_id: (
                row.seq,
                row.version,
                row.customer_id,
                row.store_id,
                row.order_status,
                row.position,
                row.body,
            )
            for row in rows
        }
    assert found == expected
    assert await position(view) == (history[-1][0] if history else 0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is awaited knows of no test's event
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("seed", range(4))
async def test_the_view_is_the_fold_of_the_journal(
    journal: Journal, view: Database, shop: Shop, seed: int
) -> None:
    chance = random.Random(seed)
    projection = Projection(journal, view)
    for _ in range(120):
        await shop.something(chance)
        if chance.random() < 0.1:
            await projection.catch_up(batch=chance.choice([1, 3, 1000]))
    await projection.catch_up()
    await assert_view_is_the_fold(view, journal)


async def test_catching_up_counts_what_it_folded(
    journal: Journal, view: Database, shop: Shop
) -> None:
    projection = Projection(journal, view)
    await shop.deliver("a")
    assert await projection.catch_up(batch=2) == 7
    assert await projection.catch_up() == 0


@pytest.mark.parametrize("committed", [False, True], ids=["before commit", "after commit"])
async def test_a_crash_around_the_commit_loses_nothing_and_repeats_nothing(
    journal: Journal,
    view: Database,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    committed: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    projection = Projection(journal, view)
    await shop.place("a")
    await projection.catch_up()
    before = await bodies(view)
    await shop.do("a", cmd.RecordApproval, attempt=1, payment_id="p-1")
    transact = view.transact

    async def dying_transaction(work: Callable[[Transaction], object]) -> None:
        def killed_before_commit(transaction: Transaction) -> None:
            work(transaction)
            raise RuntimeError("killed")

        await transact(work if committed else killed_before_commit)
        raise RuntimeError("killed")

    monkeypatch.setattr(view, "transact", dying_transaction)
    with pytest.raises(RuntimeError, match="killed"):
        await projection.catch_up()
    assert (await bodies(view) != before) is committed
    assert await position(view) == (3 if committed else 2)

    monkeypatch.setattr(view, "transact", transact)
    await shop.do("a", cmd.RecordTicket, number="A-001", estimated_ready_at=START)
    assert await projection.catch_up() == (1 if committed else 2)
    await assert_view_is_the_fold(view, journal)


async def test_a_projector_that_was_overtaken_writes_nothing(
    journal: Journal, view: Database, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, fast = Projection(journal, view), Projection(journal, view)
    await shop.deliver("a")
    read_after = journal.read_after

    async def overtaken(position: int, limit: int) -> list[tuple[int, StoredEvent]]:
        batch = await read_after(position, limit)
        monkeypatch.setattr(journal, "read_after", read_after)
        assert await fast.catch_up() == 7
        return batch

    monkeypatch.setattr(journal, "read_after", overtaken)
    assert await slow.catch_up() == 0
    assert slow.position == fast.position
    await assert_view_is_the_fold(view, journal)


async def test_two_projectors_share_the_work_and_fold_each_event_once(
    journal: Journal, view: Database, view_url: str, shop: Shop
) -> None:
    other_view = open_database(view_url)
    projections = Projection(journal, view), Projection(journal, other_view)
    total = 0
    for order_id in ("a", "b", "c"):
        await shop.deliver(order_id)
        total += sum(await asyncio.gather(*(each.catch_up(batch=2) for each in projections)))
    assert total == 21
    await assert_view_is_the_fold(view, journal)
    await other_view.close()


async def test_an_order_that_left_memory_is_loaded_from_the_journal(
    journal: Journal, view: Database, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection_module, "CACHED_ORDERS", 1)
    monkeypatch.setattr(projection_module, "LOADED_AT_ONCE", 1)
    projection = Projection(journal, view)
    for order_id in ("a", "b", "c"):
        await shop.place(order_id)
    await projection.catch_up()
    for order_id in ("a", "b", "c"):
        await shop.do(order_id, cmd.RecordApproval, attempt=1, payment_id="p-1")
        await shop.do(order_id, cmd.RecordTicket, number="A-001", estimated_ready_at=START)
    await projection.catch_up(batch=3)
    await assert_view_is_the_fold(view, journal)


async def test_a_restarted_projector_goes_on_where_the_last_one_stopped(
    journal: Journal, view: Database, shop: Shop
) -> None:
    await shop.place("a")
    await Projection(journal, view).catch_up()
    await shop.do("a", cmd.RecordDecline, attempt=1, payment_id="p-1")
    assert await Projection(journal, view).catch_up() == 1
    await assert_view_is_the_fold(view, journal)


@pytest.mark.parametrize("seen_before", [True, False])
async def test_an_erased_customer_is_gone_from_the_view(
    journal: Journal,
    view: Database,
    shop: Shop,
    seen_before: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    projection = Projection(journal, view)
    await shop.deliver("a")
    if seen_before:
        await projection.catch_up()
        assert "name of a" in (await bodies(view))["a"]
    await shop.do("a", cmd.EraseCustomer)
    await projection.catch_up()
    customer = msgspec.json.decode((await bodies(view))["a"])["customer"]
    assert customer == {"id": "c-0", "name": None, "tel": None}


async def test_the_view_never_holds_a_card_token(
    journal: Journal, view: Database, shop: Shop
) -> None:
    await shop.place("a")
    await Projection(journal, view).catch_up()
    assert "tok_approve" not in (await bodies(view))["a"]


@pytest.fixture
async def many(journal: Journal, view: Database, shop: Shop) -> list[str]:
    """Orders of which the view has the beginning: more than the journal takes into a batch."""
    order_ids = [f"order-{number:02}" for number in range(LARGEST_BATCH + 1)]
    for order_id in order_ids:
        await shop.place(order_id)
    await Projection(journal, view).catch_up()
    for order_id in order_ids:
        await shop.do(order_id, cmd.RecordDecline, attempt=1, payment_id="p-1")
    return order_ids


async def test_a_fold_that_fails_leaves_no_read_behind(
    journal: Journal, view: Database, many: list[str]
) -> None:
    async with journal.database.write() as connection:
        beginning = (events.c.order_id == many[0]) & (events.c.version == 1)
        await connection.execute(update(events).where(beginning).values(data="{"))
    before = asyncio.all_tasks()
    with pytest.raises(Damaged, match=f"version 1 of order {many[0]}, cannot be read"):
        await Projection(journal, view).fold_next(len(many))
    assert asyncio.all_tasks() == before


@pytest.mark.usefixtures("many")
async def test_a_fold_that_is_cut_off_leaves_no_read_behind(
    journal: Journal, view: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def goes_on_for_ever(_work: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(journal.database, "query", goes_on_for_ever)
    before = asyncio.all_tasks()
    folding = asyncio.create_task(Projection(journal, view).catch_up())
    await begun.wait()
    folding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await folding
    assert asyncio.all_tasks() == before


async def append_event_of_a_newer_version(journal: Journal, order_id: str, version: int) -> None:
    row = {
        "order_id": order_id,
        "version": version,
        "type": "PayLater",
        "schema_version": 2,
        "data": to_json(PaymentRequested(1, 9000)).decode(),
        "at": 0,
        "command_id": "newer",
    }
    async with journal.database.write() as connection:
        await connection.execute(events.insert(), row)


async def data_of(journal: Journal, order_id: str) -> list[str]:
    async with journal.database.read() as connection:
        query = select(events.c.data).where(events.c.order_id == order_id)
        return list(await connection.scalars(query))


async def set_data(journal: Journal, order_id: str, data: str) -> None:
    async with journal.database.write() as connection:
        await connection.execute(
            update(events).where(events.c.order_id == order_id).values(data=data)
        )


def teach_the_newer_event(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = msgspec.json.Decoder(PaymentRequested)
    monkeypatch.setitem(event_codec.SCHEMA_VERSIONS, "PayLater", 2)
    monkeypatch.setitem(event_codec._event_decoders, "PayLater", decoder)


async def test_an_unknown_event_stops_the_projection_and_is_never_skipped(
    journal: Journal, view: Database, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for order_id in ("a", "b", "c"):
        await shop.place(order_id, pay=False)
    await append_event_of_a_newer_version(journal, "b", version=2)
    await shop.place("d", pay=False)
    projection = Projection(journal, view)
    for _ in range(2):
        with pytest.raises(UnknownEvent, match="PayLater"):
            await projection.catch_up()
        assert await position(view) == 3
        assert set(await bodies(view)) == {"a", "b", "c"}

    teach_the_newer_event(monkeypatch)
    assert await projection.catch_up() == 2
    await assert_view_is_the_fold(view, journal)


async def test_what_stands_before_an_event_that_cannot_be_read_is_folded_and_nothing_after_it(
    journal: Journal, view: Database, shop: Shop
) -> None:
    for order_id in ("a", "b", "c", "d"):
        await shop.place(order_id, pay=False)
    (whole,) = await data_of(journal, "c")
    await set_data(journal, "c", "{")
    projection = Projection(journal, view)
    for _ in range(2):
        with pytest.raises(Damaged, match=r"event 3, version 1 of order c, cannot be read"):
            await projection.catch_up()
        assert await position(view) == 2
        assert set(await bodies(view)) == {"a", "b"}

    await set_data(journal, "c", whole)
    assert await projection.catch_up() == 2
    await assert_view_is_the_fold(view, journal)


async def test_an_event_of_an_order_that_the_view_lost_stops_the_projection(
    journal: Journal, view: Database, shop: Shop
) -> None:
    """A row that is missing would come back with half of its history."""
    await shop.place("a")
    await Projection(journal, view).catch_up()
    async with view.write() as connection:
        await connection.execute(order_detail.delete())
    await shop.do("a", cmd.RecordDecline, attempt=1, payment_id="p-1")
    with pytest.raises(ValueError, match="must be rebuilt"):
        await Projection(journal, view).catch_up()
    assert await position(view) == 2


# --- a journal that lost its end ------------------------------------------------------------------


async def lose_the_end(journal: Journal, after: int) -> None:
    """Take the journal back to a position, as a lost write-ahead log or an old backup does."""
    async with journal.database.write() as connection:
        gone = select(events.c.order_id).where(events.c.position > after, events.c.version == 1)
        for table in (order_keys, order_private):
            await connection.execute(delete(table).where(table.c.order_id.in_(gone)))
        await connection.execute(delete(events).where(events.c.position > after))


@pytest.mark.parametrize("placed_since", [0, 1, 2, 5])
@pytest.mark.parametrize("noted", [True, False])
async def test_a_journal_that_lost_its_end_is_noticed_whatever_was_placed_since(
    journal: Journal,
    view: Database,
    shop: Shop,
    placed_since: int,
    noted: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Positions are given out again: the checkpoint may be before, at or behind the new end."""
    for order_id in ("a", "lost-1", "lost-2"):
        await shop.place(order_id, pay=False)
    running = Projection(journal, view)
    await running.catch_up()
    if not noted:  # as code that knew no marks left it
        async with view.write() as connection:
            await connection.execute(update(checkpoint).values(event=None))
    await lose_the_end(journal, after=1)
    for number in range(placed_since):
        await shop.place(f"new-{number}", pay=False)
    for projection in (running, Projection(journal, view)):
        with pytest.raises(JournalReplaced, match="position 3"):
            await projection.catch_up()
    await rebuild(journal, view, ignore)
    await shop.place("later", pay=False)
    await running.catch_up()
    assert set(await bodies(view)) == {"a", "later", *(f"new-{n}" for n in range(placed_since))}
    await assert_view_is_the_fold(view, journal)


async def test_an_order_that_comes_again_with_the_same_version_at_the_same_position_is_noticed(
    journal: Journal, view: Database, shop: Shop
) -> None:
    """The saga repeats the step whose event was lost: only the time tells the events apart."""
    await shop.place("a")
    before = shop.orders["a"]
    await shop.do("a", cmd.RecordApproval, attempt=1, payment_id="p-1")
    await Projection(journal, view).catch_up()
    await lose_the_end(journal, after=2)
    shop.orders["a"] = before
    await shop.do("a", cmd.RecordApproval, attempt=1, payment_id="p-1")
    if journal.database.is_sqlite:  # PostgreSQL gives no position twice
        assert await journal.last_position() == 3
    with pytest.raises(JournalReplaced):
        await Projection(journal, view).catch_up()
    await rebuild(journal, view, ignore)
    await assert_view_is_the_fold(view, journal)


async def test_a_view_that_noted_no_mark_is_taken_over_where_its_last_row_is_the_journals(
    journal: Journal, view: Database, view_url: str, shop: Shop
) -> None:
    await shop.deliver("a")
    await Projection(journal, view).catch_up()
    async with view.write() as connection:
        await connection.execute(text("ALTER TABLE checkpoint DROP COLUMN event"))
    await create_tables(view_url)
    await shop.place("b", pay=False)
    assert await Projection(journal, view).catch_up() == 1
    await assert_view_is_the_fold(view, journal)


# --- rebuild --------------------------------------------------------------------------------------


def ignore(position: int, last_position: int) -> None:
    """Rebuild without showing progress."""


async def test_a_rebuild_goes_on_while_orders_arrive_and_details_are_read(
    journal: Journal,
    view: Database,
    details: OrderDetails,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(projector, "REBUILD_BATCH", 7)
    live = Projection(journal, view)
    for number in range(10):
        await shop.deliver(f"old-{number}")
    await shop.place("watched")
    await live.catch_up()
    seen: list[tuple[int, int]] = []
    rebuilding = asyncio.create_task(rebuild(journal, view, lambda *at: seen.append(at)))
    version = 0
    while not rebuilding.done():
        if len(shop.orders) < 30:
            await shop.place(f"new-{len(shop.orders)}")
        await live.catch_up()
        row = await details.get("watched")
        assert row is not None
        assert row.version >= version
        version = row.version
    await rebuilding
    await live.catch_up()
    await assert_view_is_the_fold(view, journal)
    assert seen == sorted(seen)
    assert all(reached <= last for reached, last in seen)


async def test_a_rebuild_starts_from_nothing_and_can_be_repeated(
    journal: Journal, view: Database, shop: Shop
) -> None:
    live = Projection(journal, view)
    await shop.deliver("a")
    await live.catch_up()
    for _ in range(2):
        async with view.write() as connection:
            await connection.execute(update(order_detail).values(body="{}"))
        await rebuild(journal, view, ignore)
        await assert_view_is_the_fold(view, journal)
    await shop.do("a", cmd.EraseCustomer)
    assert await live.catch_up() == 1
    await assert_view_is_the_fold(view, journal)


async def test_a_rebuilt_view_has_the_indexes_of_the_first_one(
    journal: Journal, view: Database
) -> None:
    def indexed(connection: Connection) -> set[tuple[str | None, ...]]:
        found = inspect(connection).get_indexes(LIVE)
        return {tuple(index["column_names"]) for index in found if not index["unique"]}

    await rebuild(journal, view, ignore)
    async with view.read() as connection:
        assert await connection.run_sync(indexed) == {(column, "seq") for column in FILTERS}


async def test_a_rebuild_never_takes_the_view_back(
    journal: Journal, view: Database, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Projection(journal, view)
    await shop.place("a")
    read_after = journal.read_after

    async def then_more_arrives(position: int, limit: int) -> list[tuple[int, StoredEvent]]:
        batch = await read_after(position, limit)
        if len(batch) <= 1:  # nothing after the last one: the rebuild believes that it is done
            monkeypatch.setattr(journal, "read_after", read_after)
            await shop.place("b")
            await live.catch_up()
        return batch

    monkeypatch.setattr(journal, "read_after", then_more_arrives)
    await rebuild(journal, view, ignore)
    await assert_view_is_the_fold(view, journal)


async def test_what_a_dead_rebuild_left_behind_does_not_disturb_the_next(
    journal: Journal, view: Database, shop: Shop
) -> None:
    await shop.deliver("a")

    def die(*_: int) -> None:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        await rebuild(journal, view, die)
    await rebuild(journal, view, ignore)
    await assert_view_is_the_fold(view, journal)
    async with view.read() as connection:
        assert list(await connection.scalars(select(checkpoint.c.name))) == [LIVE]


async def test_a_rebuild_gives_way_to_one_that_was_faster(
    journal: Journal, view: Database, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.deliver("a")
    read_after = journal.read_after

    async def overtaken(position: int, limit: int) -> list[tuple[int, StoredEvent]]:
        monkeypatch.setattr(journal, "read_after", read_after)
        await rebuild(journal, view, ignore)
        return await read_after(position, limit)

    monkeypatch.setattr(journal, "read_after", overtaken)
    with pytest.raises(Conflict, match=SHADOW):
        await rebuild(journal, view, ignore)
    await assert_view_is_the_fold(view, journal)


# --- the actor, as a plain class ------------------------------------------------------------------


@pytest.fixture
async def actor(
    journal: Journal,  # noqa: ARG001 - creates the tables
    view: Database,  # noqa: ARG001 - the same
    database_url: str,
    view_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[ProjectionActor]:
    urls = {"journal": database_url, "readmodel": view_url}
    monkeypatch.setattr(Settings, "url", lambda _, service: urls[service])
    actor = ProjectionActor(Installation(Settings(), secret=b"", order_hosts=1))
    yield actor
    await actor.close()


async def test_a_nudged_projector_folds_without_waiting_for_its_poll(
    actor: ProjectionActor, details: OrderDetails, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "POLL_S", 3600)
    for order_id in ("a", "b"):
        await shop.place(order_id, pay=False)
        await actor.nudge()
        assert await Watcher(details).wait_beyond(order_id, 0, timeout=30) is not None
    assert (await actor.describe())["position"] == 2


async def test_a_projector_that_nobody_nudges_polls(
    actor: ProjectionActor, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "POLL_S", 0.001)
    await shop.place("a")
    await until(lambda: actor._projection.position == 2)


async def test_a_stopped_projector_says_why_and_goes_on_once_it_can(
    actor: ProjectionActor,
    journal: Journal,
    view: Database,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(projector, "POLL_S", 0.001)
    await shop.place("a", pay=False)
    await append_event_of_a_newer_version(journal, "a", version=2)
    await until(lambda: "PayLater" in (actor._error or ""))
    assert "after position 1" in (await actor.describe())["error"]

    teach_the_newer_event(monkeypatch)
    await until(lambda: actor._error is None)
    assert (await actor.describe())["error"] is None
    await assert_view_is_the_fold(view, journal)


async def test_an_actor_whose_journal_lost_its_end_says_so_and_rebuilds_the_view(
    actor: ProjectionActor,
    journal: Journal,
    view: Database,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(projector, "POLL_S", 0.001)
    for order_id in ("a", "lost"):
        await shop.place(order_id, pay=False)
    await until(lambda: actor._projection.position == 2)
    await lose_the_end(journal, after=1)
    await until(lambda: "is not in the journal" in caplog.text)
    await shop.place("new", pay=False)
    await until(lambda: actor._error is None and not actor._rebuild.running)
    await until(lambda: actor._projection.position > 1)
    await assert_view_is_the_fold(view, journal)


@pytest.mark.parametrize("lost", [order_detail, checkpoint])
async def test_an_actor_whose_view_lost_rows_rebuilds_it(
    actor: ProjectionActor,
    journal: Journal,
    view: Database,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    lost: Table,
) -> None:
    monkeypatch.setattr(projector, "POLL_S", 0.001)
    await shop.place("a")
    await until(lambda: actor._projection.position == 2)
    async with view.write() as connection:
        await connection.execute(lost.delete())
    actor._projection._certain = False  # as after a restart
    await shop.do("a", cmd.RecordDecline, attempt=1, payment_id="p-1")
    await until(lambda: actor._projection.position == 3 and actor._error is None)
    await assert_view_is_the_fold(view, journal)


async def test_an_actor_rebuilds_and_reports_its_progress(
    actor: ProjectionActor, journal: Journal, view: Database, shop: Shop
) -> None:
    await shop.deliver("a")
    await actor.rebuild()
    await actor.rebuild()  # one is running: nothing to do
    await until(lambda: not actor._rebuild.running)
    expected = {"running": False, "position": 7, "last_position": 7, "error": None}
    assert (await actor.describe())["rebuild"] == expected
    await assert_view_is_the_fold(view, journal)


async def test_a_rebuild_that_fails_says_why_and_leaves_the_view_as_it_was(
    actor: ProjectionActor, journal: Journal, view: Database, shop: Shop
) -> None:
    await shop.place("a", pay=False)
    await actor.nudge()
    await until(lambda: actor._projection.position == 1)
    before = await bodies(view)
    await append_event_of_a_newer_version(journal, "a", version=2)
    await actor.rebuild()
    await until(lambda: not actor._rebuild.running)
    assert "PayLater" in (await actor.describe())["rebuild"]["error"]
    assert await bodies(view) == before


async def test_an_actor_closes_its_databases_only_after_what_it_was_folding(
    actor: ProjectionActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that is cut off still closes its connection; whoever cuts that off, too, waits for
    ever (aiosqlite 0.22).
    """
    begun, happened = asyncio.Event(), []

    async def catch_up() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(10):
                await asyncio.sleep(0)
            happened.append("folding ended")

    async def close(close: Callable[[], Awaitable[None]] = actor._journal.close) -> None:
        happened.append("journal closed")
        await close()

    monkeypatch.setattr(actor._projection, "catch_up", catch_up)
    monkeypatch.setattr(actor._journal, "close", close)
    await begun.wait()
    await actor.close()
    assert happened == ["folding ended", "journal closed"]
