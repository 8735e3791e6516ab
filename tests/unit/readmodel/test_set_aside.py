"""An order whose events cannot be folded is set aside by the view; its neighbours go on."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import delete, text, update

from actors.order.domain import commands as cmd
from actors.order.domain.failure import VIEW
from actors.order.journal import Journal
from actors.order.journal_tables import events
from actors.runtime.database import Database
from readmodel.projection import Projection
from readmodel.projector import rebuild
from tests.support.shop import Shop
from tests.support.views import assert_view_is_the_fold, bodies, ignore, position

Poison = Callable[[Journal, int], Awaitable[None]]
BAD, GOOD = "bad", "good"


async def change(journal: Journal, version: int, /, **values: object) -> None:
    mine = (events.c.order_id == BAD) & (events.c.version == version)
    async with journal.database.write() as connection:
        await connection.execute(update(events).where(mine).values(**values))


async def garbage(journal: Journal, version: int) -> None:
    await change(journal, version, data="{garbage")


async def lacks_a_field(journal: Journal, version: int) -> None:
    await change(journal, version, data="{}")


async def skips_a_version(journal: Journal, version: int) -> None:
    await change(journal, version, version=version + 7)


async def is_gone(journal: Journal, version: int) -> None:
    mine = (events.c.order_id == BAD) & (events.c.version == version)
    async with journal.database.write() as connection:
        await connection.execute(delete(events).where(mine))


async def is_no_text(journal: Journal, version: int) -> None:
    if not journal.database.is_sqlite:
        pytest.skip("PostgreSQL takes no such text")
    mine = f"order_id = '{BAD}' AND version = {version}"
    async with journal.database.write() as connection:
        poison = f"UPDATE events SET data = CAST(x'7bff7d' AS TEXT) WHERE {mine}"
        await connection.execute(text(poison))


async def too_long_a_customer(journal: Journal, version: int) -> None:
    if version == 1:
        async with journal.database.write() as connection:
            longer = text("UPDATE events SET data = replace(data, :old, :new) WHERE order_id = :o")
            names = {"old": "c-0", "new": "c" * 100, "o": BAD}
            await connection.execute(longer, names)
    else:
        await garbage(journal, version)


async def aside(journal: Journal) -> list[str]:
    return [failure.order_id for failure in await journal.failures.lasting(VIEW)]


async def life(shop: Shop, order_id: str) -> None:
    await shop.do(order_id, cmd.RecordDecline, attempt=1, payment_id="p-1")
    await shop.do(order_id, cmd.PayOrder, token="tok_approve")


@pytest.mark.parametrize("at", [3, 1], ids=["of an order in the view", "of a new one"])
@pytest.mark.parametrize(
    "poison", [garbage, lacks_a_field, skips_a_version, is_gone, is_no_text, too_long_a_customer]
)
async def test_neighbours_are_in_the_view_and_the_order_is_set_aside_with_its_last_good_row(
    journal: Journal, view: Database, shop: Shop, poison: Poison, at: int
) -> None:
    projection, known = Projection(journal, view), at > 1
    for order_id in (BAD, GOOD):
        await shop.place(order_id)
    if known:
        await projection.catch_up()
    for order_id in (BAD, GOOD):
        await life(shop, order_id)
    await poison(journal, at)
    await projection.catch_up()
    await shop.place("after")
    await projection.catch_up()
    found = await bodies(view)
    assert {GOOD, "after"} <= found.keys()
    assert await aside(journal) == [BAD]
    assert ('"version":2,' in found[BAD]) if known else (BAD not in found)
    async with journal.database.read() as connection:
        last = await connection.scalar(text("SELECT max(position) FROM events"))
    assert await position(view) == last


async def test_a_mended_order_is_in_the_view_again_on_demand(
    journal: Journal, view: Database, shop: Shop
) -> None:
    projection = Projection(journal, view)
    await shop.place(BAD)
    await life(shop, BAD)
    whole = '{"attempt":1,"payment_id":"p-1"}'
    await change(journal, 3, data="{")
    await projection.catch_up()
    assert await projection.fold_again([BAD]) == set()
    assert await aside(journal) == [BAD]
    await change(journal, 3, data=whole)
    assert await projection.fold_again([BAD]) == {BAD}
    assert await aside(journal) == []
    await shop.do(BAD, cmd.RecordDecline, attempt=2, payment_id="p-2")
    await projection.catch_up()
    await assert_view_is_the_fold(view, journal)


async def test_a_mended_order_is_in_the_view_again_with_its_next_event(
    journal: Journal, view: Database, shop: Shop
) -> None:
    await shop.place(BAD)
    await life(shop, BAD)
    await change(journal, 3, data="{")
    await Projection(journal, view).catch_up()
    await change(journal, 3, data='{"attempt":1,"payment_id":"p-1"}')
    await shop.do(BAD, cmd.RecordDecline, attempt=2, payment_id="p-2")
    await Projection(journal, view).catch_up()
    assert await aside(journal) == []
    await assert_view_is_the_fold(view, journal)


async def test_a_rebuild_takes_a_mended_order_up_again_and_sets_another_aside(
    journal: Journal, view: Database, shop: Shop
) -> None:
    for order_id in (BAD, GOOD):
        await shop.place(order_id)
        await life(shop, order_id)
    await change(journal, 3, data="{")
    await Projection(journal, view).catch_up()
    await rebuild(journal, view, ignore)
    assert await aside(journal) == [BAD]
    assert (await bodies(view)).keys() == {BAD, GOOD}
    await change(journal, 3, data='{"attempt":1,"payment_id":"p-1"}')
    await rebuild(journal, view, ignore)
    assert await aside(journal) == []
    await assert_view_is_the_fold(view, journal)


async def test_events_whose_positions_are_out_of_order_make_a_row_all_the_same(
    journal: Journal, view: Database, shop: Shop
) -> None:
    await shop.place(BAD)
    await life(shop, BAD)
    async with journal.database.write() as connection:
        for here, there in ((1, 1001), (2, 1), (1001, 2)):
            move = update(events).where(events.c.position == here).values(position=there)
            await connection.execute(move)
    await shop.place(GOOD)
    await Projection(journal, view).catch_up(batch=1)
    assert (await bodies(view)).keys() == {BAD, GOOD}
    assert '"version":4' in (await bodies(view))[BAD]
    assert await aside(journal) == []


async def test_what_is_set_aside_is_remembered_by_the_next_projector(
    journal: Journal, view: Database, shop: Shop
) -> None:
    await shop.place(BAD)
    await change(journal, 1, data="{")
    await Projection(journal, view).catch_up()
    await shop.do(BAD, cmd.RecordDecline, attempt=1, payment_id="p-1")
    await Projection(journal, view).catch_up()  # and not: the view is incomplete
    assert await aside(journal) == [BAD]
    assert await bodies(view) == {}
