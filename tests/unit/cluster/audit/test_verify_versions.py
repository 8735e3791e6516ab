"""`siren verify` on databases of another version: one sentence, and never "no violation"."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from actors.order.journal_tables import JOURNAL_SCHEMA_VERSION
from actors.settings import Settings
from cluster.cli import app
from tests.support.in_process import in_process

NEWER = "UPDATE meta SET value = '99' WHERE key IN ('schema_version', 'oldest_code')"
OLDER = "UPDATE meta SET value = '1' WHERE key = 'schema_version'"


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    async with in_process(Settings(data_dir=tmp_path)):
        return tmp_path


@pytest.mark.parametrize(
    ("service", "change", "sentence"),
    [
        ("journal", NEWER, "has schema version 99, this siren knows"),
        ("journal", OLDER, "has schema version 1, this siren writes"),
        ("journal", "DROP TABLE order_keys", "table order_keys is missing: not yet upgraded"),
        (
            "readmodel",
            "ALTER TABLE checkpoint DROP COLUMN event",
            "column event of table checkpoint",
        ),
        ("payments", "ALTER TABLE payments DROP COLUMN approved_at", "not yet upgraded"),
        ("stores", "DROP TABLE menu_items", "not yet upgraded; start `siren up` once"),
        ("provider", "CREATE TABLE x (y); DROP TABLE charges", "siren up"),
    ],
)
def test_another_version_is_named(folder: Path, service: str, change: str, sentence: str) -> None:
    with closing(sqlite3.connect(folder / f"{service}.db")) as database:
        database.executescript(change)
    audit = CliRunner().invoke(app, ["verify", "--data", str(folder)])
    assert sentence in " ".join(audit.stderr.split())
    assert "no violation" not in audit.stdout
    assert audit.exit_code == 1


def test_rows_that_a_newer_version_demands_more_of_are_named(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "payments.db")) as database:
        database.executescript(
            "DROP TABLE payments;"
            "CREATE TABLE payments (order_id TEXT PRIMARY KEY, payment_id TEXT, amount INT,"
            " currency TEXT, status TEXT, attempts INT, refused INT, created_at INT,"
            " approved_at INT, canceled_at INT, payer TEXT NOT NULL)"
        )
    audit = CliRunner().invoke(app, ["verify", "--data", str(folder)])
    assert "table payments was written by a newer version" in " ".join(audit.stderr.split())
    assert audit.exit_code == 1


def test_its_own_version_is_audited(folder: Path) -> None:
    audit = CliRunner().invoke(app, ["verify", "--data", str(folder)])
    assert "no violation" in audit.stdout
    assert JOURNAL_SCHEMA_VERSION < 99
