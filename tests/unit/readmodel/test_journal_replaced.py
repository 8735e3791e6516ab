"""A journal that lost its end is noticed, although its positions are given out again."""

import pytest
from sqlalchemy import text, update

from actors.order.domain import commands as cmd
from actors.order.journal import Journal
from actors.runtime.database import Database
from readmodel.projection import JournalReplaced, Projection
from readmodel.projector import rebuild
from readmodel.tables import checkpoint, create_tables
from tests.support.journals import lose_the_end
from tests.support.shop import Shop
from tests.support.views import assert_view_is_the_fold, bodies, ignore


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
        await connection.execute(text("DROP TABLE schemas"))  # as it was before there was any
    await create_tables(view_url)
    await shop.place("b", pay=False)
    assert await Projection(journal, view).catch_up() == 1
    await assert_view_is_the_fold(view, journal)
