"""The generated history of the growth bench is one that the system itself could have written."""

import asyncio
import multiprocessing
import sqlite3
from contextlib import closing
from multiprocessing.pool import ThreadPool
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from actors.settings import Settings
from cluster.cli import app
from cluster.operations.rebuild_view import rebuild_view
from tests.bench.growth.folder import fill
from tests.bench.growth.history import Live


@pytest.fixture(autouse=True)
def in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """For some hundred orders a second process takes longer to start than to work."""
    threads = SimpleNamespace(Pool=ThreadPool)
    monkeypatch.setattr(multiprocessing, "get_context", lambda _method: threads)


@pytest.mark.parametrize("kind", ["waiting", "charging"])
def test_verify_finds_nothing_in_a_generated_history(tmp_path: Path, kind: Live) -> None:
    fill(tmp_path / "data", orders=300, live=20, kind=kind)
    result = CliRunner().invoke(app, ["verify", "--data", str(tmp_path / "data")])
    assert result.exit_code == 0, result.output
    assert "audited 320 orders" in result.stdout


def test_a_rebuild_gives_the_rows_that_were_generated(tmp_path: Path) -> None:
    fill(tmp_path / "data", orders=300, live=20)
    generated = view_rows(tmp_path / "data")
    asyncio.run(rebuild_view(Settings(data_dir=tmp_path / "data"), lambda *_: None))
    assert view_rows(tmp_path / "data") == generated
    assert len(generated) == 321


def view_rows(folder: Path) -> list[tuple[object, ...]]:
    """Return the view's rows and how far they reach."""
    with closing(sqlite3.connect(folder / "readmodel.db")) as view:
        rows = view.execute("SELECT * FROM order_detail ORDER BY seq").fetchall()
        return rows + view.execute("SELECT name, position FROM checkpoint").fetchall()
