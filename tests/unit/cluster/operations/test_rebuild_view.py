"""`siren rebuild-view` makes a view right again, or leaves it as it was."""

import asyncio
from pathlib import Path

from sqlalchemy import select, update

from actors.order.journal_tables import events
from actors.settings import Settings
from readmodel.tables import checkpoint, open_database, order_detail
from tests.support.command import one_order, sentence, siren
from tests.support.services import InProcess


def test_rebuild_view_makes_a_spoilt_view_right_again(tmp_path: Path) -> None:
    asyncio.run(one_order(tmp_path))
    asyncio.run(_spoil_the_view(tmp_path))
    assert siren("verify", data=tmp_path).exit_code == 1
    rebuilt = siren("rebuild-view", data=tmp_path)
    assert rebuilt.exit_code == 0, rebuilt.output
    assert "rebuilt the view up to journal position 4" in rebuilt.stdout
    assert siren("verify", data=tmp_path).exit_code == 0


def test_rebuild_view_leaves_the_view_alone_where_the_journal_cannot_be_read(
    tmp_path: Path,
) -> None:
    asyncio.run(one_order(tmp_path))
    before = asyncio.run(_view(tmp_path))
    asyncio.run(_plant_an_unknown_event(tmp_path))
    result = siren("rebuild-view", data=tmp_path)
    assert result.exit_code == 1
    assert "unknown event 'OrderVanished'" in sentence(result)
    assert asyncio.run(_view(tmp_path)) == before


async def _spoil_the_view(folder: Path) -> None:
    database = open_database(Settings(data_dir=folder).url("readmodel"))
    async with database.write() as connection:
        await connection.execute(update(order_detail).values(body="{}"))
    await database.close()


async def _plant_an_unknown_event(folder: Path) -> None:
    async with (
        InProcess(Settings(data_dir=folder)) as system,
        system.journal.database.write() as connection,
    ):
        last = update(events).where(events.c.version == 4)
        await connection.execute(last.values(type="OrderVanished"))


async def _view(folder: Path) -> list[object]:
    database = open_database(Settings(data_dir=folder).url("readmodel"))
    async with database.read() as connection:
        rows = [*await connection.execute(select(order_detail))]
        reached = await connection.scalar(select(checkpoint.c.position))
    await database.close()
    return [*rows, reached]
