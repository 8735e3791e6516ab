"""A rebuild folds the whole journal anew; whoever reads the view meanwhile sees no gap."""

import asyncio

import pytest
from sqlalchemy import Connection, inspect, select, update

from actors.contracts.errors import Conflict
from actors.order.domain import commands as cmd
from actors.order.event_reader import Placed
from actors.order.journal import Journal
from actors.runtime.database import Database
from readmodel import projector
from readmodel.projection import Projection
from readmodel.projector import rebuild
from readmodel.queries import OrderDetails
from readmodel.tables import FILTERS, LIVE, SHADOW, checkpoint, order_detail
from tests.support.shop import Shop
from tests.support.views import assert_view_is_the_fold, ignore


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

    async def then_more_arrives(position: int, limit: int) -> Placed:
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

    async def overtaken(position: int, limit: int) -> Placed:
        monkeypatch.setattr(journal, "read_after", read_after)
        await rebuild(journal, view, ignore)
        return await read_after(position, limit)

    monkeypatch.setattr(journal, "read_after", overtaken)
    with pytest.raises(Conflict, match=SHADOW):
        await rebuild(journal, view, ignore)
    await assert_view_is_the_fold(view, journal)
