"""Every database that an earlier version made is expanded, and that version goes on with it."""

from pathlib import Path

import pytest
from sqlalchemy import MetaData, text

from actors.contracts.errors import SirenError
from actors.order.journal import Journal
from actors.order.journal_tables import JOURNAL_SCHEMA_VERSION, OLDEST_CODE
from actors.runtime.database import Database
from actors.runtime.schema import Recorded, Schema, recorded
from actors.settings import Service, Settings
from cluster.running import bootstrap, schemas
from cluster.running.schemas import SCHEMAS, check_running_version, known_schemas
from tests.support.old_journal import old_journal
from tests.support.released_schemas import EARLIER, STILL_DONE

RELEASED = [(service, made) for service, all_made in EARLIER.items() for made in all_made]


async def run(url: str, *statements: str) -> None:
    database = Database(url, MetaData())
    async with database.write() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await database.close()


@pytest.mark.parametrize(("service", "made"), RELEASED, ids=[each[0] for each in RELEASED])
async def test_an_earlier_database_is_expanded_and_its_version_goes_on(
    database_url: str, service: Service, made: tuple[str, ...]
) -> None:
    await run(database_url, *made)

    await bootstrap.CREATIONS[service](database_url)
    await run(database_url, STILL_DONE[service])
    await bootstrap.CREATIONS[service](database_url)

    database = Database(database_url, MetaData())
    wanted = next(each for each in SCHEMAS if each.name == service)
    assert await recorded(database, service) == Recorded(wanted.version, wanted.oldest_code)
    await database.close()


@pytest.mark.parametrize("schema", SCHEMAS[1:], ids=lambda schema: schema.name)
def test_each_earlier_version_has_its_tables_kept(schema: Schema) -> None:
    earlier = EARLIER.get(schema.name, ())  # type: ignore[call-overload]
    assert len(earlier) == schema.version - 1


async def test_a_journal_tells_which_code_may_use_it(tmp_path: Path) -> None:
    journal = Journal(Settings(data_dir=tmp_path).url("journal"))
    await journal.create()
    assert await journal.schema() == Recorded(JOURNAL_SCHEMA_VERSION, OLDEST_CODE)
    await journal.close()


async def test_a_deploy_that_the_running_version_would_not_survive_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path)
    running = dict(known_schemas())
    await check_running_version(settings, running)

    contracted = (Schema("stores", version=9, oldest_code=running["stores"] + 1),)
    monkeypatch.setattr(schemas, "SCHEMAS", contracted)
    with pytest.raises(SirenError, match=r"database of stores .* deploy the version between"):
        await check_running_version(settings, running)


async def test_a_version_that_tells_nothing_is_judged_by_the_journal_it_runs_on(
    tmp_path: Path,
) -> None:
    settings = Settings(data_dir=tmp_path)
    async with old_journal(settings.url("journal")):
        pass
    with pytest.raises(SirenError, match="database of journal"):
        await check_running_version(settings, {})
