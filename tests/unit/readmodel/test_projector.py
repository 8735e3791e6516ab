"""The projector, as a plain class: it follows the journal, and says what keeps it from it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import Table

from actors.installation import Installation
from actors.order.domain import commands as cmd
from actors.order.journal import Journal
from actors.runtime.database import Database
from actors.runtime.waits import PATIENCE_S
from actors.settings import Settings
from readmodel import projector
from readmodel.projector import ProjectionActor
from readmodel.queries import OrderDetails, Watcher
from readmodel.tables import checkpoint, order_detail
from tests.support.journals import (
    append_event_of_a_newer_version,
    lose_the_end,
    teach_the_newer_event,
)
from tests.support.shop import Shop
from tests.support.views import assert_view_is_the_fold, bodies
from tests.support.waiting import until


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


async def test_a_projector_that_stands_still_says_so_and_one_with_nothing_to_do_does_not(
    actor: ProjectionActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "POLL_S", 0.001)
    now = 0.0
    monkeypatch.setattr(actor._moving, "_clock", lambda: now)

    def much_later() -> str | None:
        nonlocal now
        now += 2 * PATIENCE_S
        return actor.trouble()

    for _ in range(10):
        turns = actor._turns
        await until(lambda: actor._turns > turns)  # noqa: B023 - is over by then
        assert much_later() is None

    async def never() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(actor, "_catch_up", never)
    await until(lambda: "not been followed" in (much_later() or ""))


async def test_a_projector_whose_task_has_ended_says_so(actor: ProjectionActor) -> None:
    actor._loop.cancel()
    await until(lambda: actor.trouble() is not None)
    assert "has ended" in (actor.trouble() or "")
