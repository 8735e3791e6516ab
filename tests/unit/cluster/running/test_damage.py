"""Every kind of damage to every database: told, named and gone around; never a 500."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors.contracts.errors import SirenError
from actors.order.new_order import NewOrder
from actors.runtime.database_faults import note_damage, noted_damage
from actors.settings import Service, Settings
from cluster.audit import verify as audit
from cluster.audit.records import Violation
from cluster.operations.scrub import scrub
from cluster.running import integrity
from cluster.running.integrity import check_files
from readmodel import projector
from serve_app.backend import Backend
from tests.support.damage import change, garbage_log, truncate, zero_header, zero_leaf
from tests.support.files import copy_database
from tests.support.http_contract import ORDER
from tests.support.in_process import client_of, in_process
from tests.support.system import eventually

ORDERS = 8
Damage = Callable[[Path], None]
NOW = {"Prefer": "respond-async"}
NOT_TEXT = "CAST(x'ff' AS TEXT)"

TABLES: dict[Service, tuple[str, str]] = {
    "journal": ("events", "sqlite_autoindex_events_1"),
    "payments": ("payments", "payments_by_age"),
    "provider": ("charges", "charges"),
    "stores": ("tickets", "sqlite_autoindex_tickets_1"),
    "readmodel": ("order_detail", "sqlite_autoindex_order_detail_1"),
}
ROWS: dict[Service, list[str]] = {
    "journal": [
        "UPDATE events SET data = '{' WHERE version = 2",
        f"UPDATE events SET data = {NOT_TEXT} WHERE version = 1",
        "UPDATE events SET type = 'PayLater' WHERE version = 3",
        "UPDATE events SET at = 'noon' WHERE version = 4",
        "DELETE FROM events WHERE version = 2",
        "DELETE FROM events WHERE version = 1",
    ],
    "payments": [
        "UPDATE payments SET approved_at = 'noon'",
        "UPDATE payments SET status = x'ff'",
        f"UPDATE payments SET currency = {NOT_TEXT}",
    ],
    "provider": [f"UPDATE charges SET status = {NOT_TEXT}"],
    "stores": [
        "UPDATE tickets SET items = '{'",
        "UPDATE tickets SET opened_at = 'noon'",
        f"UPDATE tickets SET customer_name = {NOT_TEXT}",
        "UPDATE stores SET queued = 'many'",
        "UPDATE menu_items SET price = 'cheap'",
    ],
    "readmodel": [
        "UPDATE order_detail SET body = '{' WHERE seq < 16",
        f"UPDATE order_detail SET body = {NOT_TEXT} WHERE seq < 16",
        "UPDATE order_detail SET body = '{}' WHERE seq < 16",
    ],
}


def cases() -> list[Any]:
    """Return every kind for every database; all but one of each are left to `make test`."""
    found = []
    for service, (table, index) in TABLES.items():
        kinds: dict[str, Damage] = {
            "leaf": partial(zero_leaf, name=table),
            "index": partial(zero_leaf, name=index),
            "header": zero_header,
            "truncated": truncate,
        }
        kinds |= {sql[:40]: partial(change, statement=sql) for sql in ROWS[service]}
        found += [
            pytest.param(
                service,
                kind,
                id=f"{service}-{name}",
                marks=() if name == "leaf" else pytest.mark.thorough,
            )
            for name, kind in kinds.items()
        ]
    return found


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    lived_in, folder = (tmp_path_factory.mktemp(name) for name in ("lived_in", "template"))

    async def live() -> list[str]:
        async with in_process(Settings(data_dir=lived_in)) as siren:
            new = NewOrder(
                "c-17", "영욱", "010-1234-5678", "gangnam", (("latte", 1),), "tok_approve"
            )
            replies = await asyncio.gather(*(siren.place(new) for _ in range(ORDERS)))
            ids = [httpx.Response(200, content=r.detail).json()["order_id"] for r in replies]
            for order_id in ids:
                await siren.wait_for(order_id, "ACCEPTED")
            return ids

    order_ids = asyncio.run(live())
    for path in lived_in.glob("*.db"):
        copy_database(path, folder / path.name)
    return folder, order_ids


@asynccontextmanager
async def damaged(
    folder: Path, template: Path, service: Service, damage: Damage
) -> AsyncIterator[httpx.AsyncClient]:
    """Start on a damaged copy as its owner may, and return a client of its gateway."""
    shutil.copytree(template, folder)
    damage(folder / f"{service}.db")
    settings = Settings(data_dir=folder)
    check_files(settings, print, despite_damage=True)
    async with in_process(settings) as siren, client_of(siren) as client:
        yield client


async def try_everything(client: httpx.AsyncClient, order_ids: list[str]) -> dict[str, int]:
    """Use every route on every order; return the status of each call."""
    paths = ["/order-details?limit=200", "/payments?limit=200", "/pickups?limit=200", "/stores"]
    paths += ["/stores/gangnam", "/stores/gangnam/menu", "/readyz"]
    for order_id in order_ids:
        paths += [f"/orders/{order_id}", f"/orders/{order_id}/events"]
        paths += [f"/order-details/{order_id}", f"/payments?order_id={order_id}"]
        paths += [f"/pickups?order_id={order_id}"]
    found = {path: (await client.get(path)).status_code for path in paths}
    for order_id in order_ids[::4]:
        for path in (f"/pickups/{order_id}/start", f"/orders/{order_id}/cancel"):
            found[path] = (await client.post(path, headers=NOW)).status_code
    found["/orders"] = (await client.post("/orders", json=ORDER, headers=NOW)).status_code
    return found


async def audited(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(audit, "PAUSE_S", 0)
    found: list[Violation] = []
    await audit.verify(Settings(data_dir=folder), found.append, lambda _done, _total: None)
    return [str(violation) for violation in found]


@pytest.mark.parametrize(("service", "damage"), cases())
async def test_damage_is_told_and_gone_around(
    tmp_path: Path,
    template: tuple[Path, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    service: Service,
    damage: Damage,
) -> None:
    monkeypatch.setattr(projector, "POLL_S", 0.05)
    monkeypatch.setattr(Backend, "_probe", order_hosts_answer)
    folder, order_ids = template
    data = tmp_path / "data"
    if service == "journal" and damage in (zero_header, truncate):  # nothing of it can be read
        with pytest.raises(SirenError, match=r"journal\.db cannot be read"):
            async with damaged(data, folder, service, damage):
                pass
        return
    async with damaged(data, folder, service, damage) as client:
        statuses = await try_everything(client, order_ids)
        assert set(statuses.values()) <= {200, 201, 202, 404, 409, 503}, statuses
        if service == "readmodel":
            await heals(client, order_ids)
        else:
            for order_id in order_ids:
                assert statuses[f"/order-details/{order_id}"] == 200
    violations = await audited(data, monkeypatch)
    if service == "readmodel":
        assert violations == []
    else:
        assert violations


@pytest.mark.parametrize("service", TABLES)
@pytest.mark.parametrize("harm", [zero_leaf, zero_header, truncate])
def test_a_start_refuses_a_damaged_file_and_folds_a_damaged_view_anew(
    tmp_path: Path, template: tuple[Path, list[str]], service: Service, harm: Any
) -> None:
    data = tmp_path / "data"
    shutil.copytree(template[0], data)
    file = data / f"{service}.db"
    harm(file, TABLES[service][0]) if harm is zero_leaf else harm(file)
    found, told = file.read_bytes(), list[str]()
    if service == "readmodel":
        check_files(Settings(data_dir=data), told.append)
        assert noted_damage(file) or list(data.glob("readmodel.db.set-aside-*"))
    else:
        with pytest.raises(SirenError, match=rf"{service}\.db (is damaged|cannot be read)"):
            check_files(Settings(data_dir=data), told.append)
        assert file.read_bytes() == found
    assert any(f"{service}.db IS DAMAGED: " in line for line in told)


async def test_a_damaged_end_of_the_journal_keeps_nothing_from_the_view_that_stands_before_it(
    tmp_path: Path, template: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new view: nothing of the journal has been folded in when the damage is met."""
    monkeypatch.setattr(projector, "POLL_S", 0.05)
    monkeypatch.setattr(Backend, "_probe", order_hosts_answer)
    folder, order_ids = template
    data = tmp_path / "data"

    def zero_the_end(file: Path) -> None:
        for part in data.glob("readmodel.db*"):
            part.unlink()
        zero_leaf(file, "events", last=True)

    async with damaged(data, folder, "journal", zero_the_end) as client:
        async with asyncio.timeout(60):
            await is_served(client, f"/order-details/{order_ids[0]}")
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert "database:journal" in ready.text
        placed = await client.post("/orders", json=ORDER, headers=NOW)
        assert placed.status_code in (201, 503)
    found = await audited(data, monkeypatch)
    assert any("journal.db" in each and "database_damaged" in each for each in found), found


async def order_hosts_answer(_siren: Backend, _host: int, _timeout: float) -> None:
    """Stand in for Ray, which knows no order host of this process."""


async def is_served(client: httpx.AsyncClient, path: str) -> None:
    """Wait until an address answers 200."""
    while (await client.get(path)).status_code != 200:  # noqa: ASYNC110 - it is HTTP
        await asyncio.sleep(0.05)


async def heals(client: httpx.AsyncClient, order_ids: list[str]) -> None:
    """Wait until the view is whole again by itself."""
    paths = [f"/order-details/{order_id}" for order_id in order_ids] + ["/readyz"]
    async with asyncio.timeout(60):
        for path in paths:
            await is_served(client, path)
    assert (await client.get("/order-details?limit=200")).status_code == 200


# --- files that are gone, or too large to be looked through at the start ------------------------


@pytest.mark.parametrize("harm", ["deleted", "replaced by nothing"])
async def test_a_view_that_goes_while_the_system_is_up_comes_back_by_itself(
    tmp_path: Path,
    template: tuple[Path, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    harm: str,
) -> None:
    monkeypatch.setattr(projector, "POLL_S", 0.05)
    monkeypatch.setattr(Backend, "_probe", order_hosts_answer)
    folder, order_ids = template
    data = tmp_path / "data"
    async with damaged(data, folder, "readmodel", lambda _file: None) as client:
        await heals(client, order_ids)
        for file in data.glob("readmodel.db*"):
            file.unlink()
        if harm != "deleted":
            (data / "readmodel.db").touch()
        async with asyncio.timeout(60):
            while not (data / "readmodel.db").exists():  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        placed = (await client.post("/orders", json=ORDER)).json()["order_id"]
        await heals(client, [*order_ids, placed])
    if harm == "deleted":
        assert "was deleted; a new one is folded" in caplog.text
    assert await audited(data, monkeypatch) == []


@pytest.mark.parametrize("gone", ["journal", "payments", "provider", "stores"])
@pytest.mark.parametrize("emptied", [True, False])
def test_a_file_that_is_gone_is_not_begun_anew(
    tmp_path: Path,
    template: tuple[Path, list[str]],
    gone: Service,
    emptied: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    data = tmp_path / "data"
    shutil.copytree(template[0], data)
    (data / f"{gone}.db").unlink()
    if emptied:
        (data / f"{gone}.db").touch()
    with pytest.raises(SirenError, match=rf"{gone}\.db is missing or empty, although"):
        check_files(Settings(data_dir=data), print)
    assert (data / f"{gone}.db").exists() == emptied


def test_an_empty_folder_and_one_without_a_view_may_start(
    tmp_path: Path, template: tuple[Path, list[str]]
) -> None:
    check_files(Settings(data_dir=tmp_path), print)
    shutil.copytree(template[0], tmp_path / "data")
    (tmp_path / "data" / "readmodel.db").unlink()
    check_files(Settings(data_dir=tmp_path / "data"), print)


def test_a_log_that_is_none_is_kept_and_told(
    tmp_path: Path, template: tuple[Path, list[str]]
) -> None:
    shutil.copytree(template[0], tmp_path / "data")
    journal = tmp_path / "data" / "journal.db"
    garbage_log(journal)
    garbage = journal.with_name("journal.db-wal").read_bytes()
    told: list[str] = []
    settings = Settings(data_dir=tmp_path / "data")
    with pytest.raises(SirenError, match=r"nothing of journal\.db-wal can be read"):
        check_files(settings, told.append)
    check_files(settings, told.append, despite_damage=True)
    assert any("journal.db IS DAMAGED: nothing of journal.db-wal" in line for line in told)
    (kept,) = journal.parent.glob("journal.db-wal.set-aside-*")
    assert kept.read_bytes() == garbage


async def test_commits_that_are_lost_in_the_middle_of_a_log_are_refused_and_told(
    tmp_path: Path, template: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    shutil.copytree(template[0], data)
    with closing(sqlite3.connect(template[0] / "journal.db", isolation_level=None)) as database:
        for number in range(8):
            database.execute("INSERT INTO meta VALUES (?, '')", [str(number)])
        log = (template[0] / "journal.db-wal").read_bytes()
        database.execute("DELETE FROM meta WHERE value = ''")
    middle = len(log) // 3
    log = (
        log[:middle] + bytes(byte ^ 0xFF for byte in log[middle : middle + 64]) + log[middle + 64 :]
    )
    (data / "journal.db-wal").write_bytes(log)
    words = "commits behind a damaged place in journal.db-wal are lost"
    assert any(words in each for each in await audited(data, monkeypatch))
    told: list[str] = []
    with pytest.raises(SirenError, match=words):
        check_files(Settings(data_dir=data), told.append)
    assert (data / "journal.db-wal").read_bytes() == log
    check_files(Settings(data_dir=data), told.append, despite_damage=True)
    (kept,) = data.glob("journal.db-wal.set-aside-*")
    assert kept.read_bytes() == log


def test_a_log_that_a_crash_left_is_none_of_it(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE events (position INTEGER PRIMARY KEY)")
        (tmp_path / "crashed").mkdir()
        for part in ("journal.db", "journal.db-wal"):
            shutil.copy(tmp_path / part, tmp_path / "crashed" / part)
    told: list[str] = []
    check_files(Settings(data_dir=tmp_path / "crashed"), told.append)
    assert told == []


def test_what_takes_too_long_is_looked_through_in_the_background(
    tmp_path: Path, template: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrity, "QUICK_S", -1)
    monkeypatch.setattr(integrity, "STEPS", 1)
    data = tmp_path / "data"
    shutil.copytree(template[0], data)
    zero_leaf(data / "payments.db", "payments")
    told: list[str] = []
    check_files(Settings(data_dir=data), told.append)
    assert any("in the background" in line for line in told)
    words = f"{data / 'payments.db'} IS DAMAGED: "
    eventually(lambda: any(line.startswith(words) for line in told), "the damage is told")
    assert noted_damage(data / "payments.db")
    with pytest.raises(SirenError, match=r"payments\.db is damaged: "):  # now it has its time
        check_files(Settings(data_dir=data), told.append)


def test_a_file_that_somebody_else_holds_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, timeout=0))
    held = tmp_path / "payments.db"
    with closing(sqlite3.connect(held, isolation_level=None)) as database:
        database.execute("CREATE TABLE payments (order_id TEXT)")
        database.execute("BEGIN EXCLUSIVE")
        assert integrity.quick_check(held) is None


def test_a_file_that_is_whole_again_is_no_longer_noted(
    tmp_path: Path, template: tuple[Path, list[str]]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(template[0], data)
    note_damage(data / "stores.db", "it was")
    check_files(Settings(data_dir=data), print)
    assert noted_damage(data / "stores.db") is None


async def test_a_view_that_was_set_aside_does_not_outlive_whom_it_names(
    tmp_path: Path, template: tuple[Path, list[str]]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(template[0], data)
    zero_header(data / "readmodel.db")
    settings = Settings(data_dir=data)
    check_files(settings, print)
    assert list(data.glob("readmodel.db.set-aside-*"))
    async with in_process(settings):
        await scrub(settings, lambda _what, _done, _total: None)
    assert list(data.glob("readmodel.db.set-aside-*")) == []
