"""The projection: the view is the fold of the journal, each event folded in exactly once."""

import asyncio
import random
from collections.abc import Callable

import msgspec
import pytest
from sqlalchemy import update

from actors.contracts.errors import UnknownEvent
from actors.order.domain import commands as cmd
from actors.order.domain.failure import VIEW
from actors.order.event_reader import Placed
from actors.order.journal import Journal
from actors.order.journal_tables import events
from actors.runtime.batching import LARGEST_BATCH
from actors.runtime.database import Database
from actors.runtime.group_commit import Seen
from actors.runtime.statements import Transaction
from readmodel import loading
from readmodel import projection as projection_module
from readmodel.projection import Projection
from readmodel.tables import open_database, order_detail
from tests.support.journals import append_event_of_a_newer_version, teach_the_newer_event
from tests.support.shop import START, Shop
from tests.support.views import assert_view_is_the_fold, bodies, position


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
    run = projection._commits.run

    async def dying_transaction(
        work: Callable[[Transaction], object], seen: Callable[[], list[Seen]], size: int
    ) -> None:
        def killed_before_commit(transaction: Transaction) -> None:
            work(transaction)
            raise RuntimeError("killed")

        await run(work if committed else killed_before_commit, seen, size)
        raise RuntimeError("killed")

    monkeypatch.setattr(projection._commits, "run", dying_transaction)
    with pytest.raises(RuntimeError, match="killed"):
        await projection.catch_up()
    assert (await bodies(view) != before) is committed
    assert await position(view) == (3 if committed else 2)

    monkeypatch.setattr(projection._commits, "run", run)
    await shop.do("a", cmd.RecordTicket, number="A-001", estimated_ready_at=START)
    assert await projection.catch_up() == (1 if committed else 2)
    await assert_view_is_the_fold(view, journal)


async def test_a_projector_that_was_overtaken_writes_nothing(
    journal: Journal, view: Database, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, fast = Projection(journal, view), Projection(journal, view)
    await shop.deliver("a")
    read_after = journal.read_after

    async def overtaken(position: int, limit: int) -> Placed:
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
    monkeypatch.setattr(loading, "AT_ONCE", 1)
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
    assert await Projection(journal, view).fold_next(len(many)) == len(many)
    assert asyncio.all_tasks() == before
    assert [each.order_id for each in await journal.failures.lasting(VIEW)] == [many[0]]


@pytest.mark.usefixtures("many")
async def test_a_fold_that_is_cut_off_leaves_no_read_behind(
    journal: Journal, view: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def goes_on_for_ever(*_asked: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(journal.database, "fetch_all", goes_on_for_ever)
    before = asyncio.all_tasks()
    folding = asyncio.create_task(Projection(journal, view).catch_up())
    await begun.wait()
    folding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await folding
    assert asyncio.all_tasks() == before


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
