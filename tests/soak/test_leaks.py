"""Two hundred thousand orders through one system: what it takes of its machine stays as it was.

Whole lives, three of four made and handed over, the others cancelled; half an hour on 2 cores. What
may grow until it is full: the page cache of SQLite, 32 MB a connection, which takes payment about
200,000 orders, and the orders of the last seconds, at 3.4 KB each, which are waited for here. Of
files only the databases grow.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from cluster.headings.load import run_in_own_process
from tests.support.footprint import MB, Footprint, footprint, grown
from tests.support.system import System
from tests.support.whole_lives import whole_lives

FIRST, SECOND = 50_000, 150_000
CONNECTIONS = 48
LONGEST_S = 3600.0
PASSIVATE_AFTER_S = 5
REST_S = 30.0
"""Until what was kept for the last orders is given back."""
SHARE, LEAST = 0.05, 32 * MB
"""What a process may grow by: what is left of the page caches, and 270 bytes an order."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where all files go, temporary ones too; pytest's own is too deep for Unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="siren-leaks-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def system(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    temporary = folder / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    system = System(folder / "data", passivate_after_s=PASSIVATE_AFTER_S)
    system.start()
    yield system
    system.stop()


def lived(system: System, folder: Path, orders: int) -> Footprint:
    """Let so many orders live and end, and look at what the system takes then."""
    seen = run_in_own_process(system.port, partial(whole_lives, orders), CONNECTIONS, LONGEST_S)
    time.sleep(REST_S)
    folders = {"data": system.data_dir, "temporary": folder / "tmp", "run": system.run_folder()}
    taken = footprint(system.processes(), folders)
    print(f"after {orders:,} more orders, {seen.rate:,.0f} requests/s", *taken.lines(), sep="\n")
    assert seen.errors == []
    return taken


def test_what_a_system_takes_does_not_grow_with_its_orders(system: System, folder: Path) -> None:
    before = lived(system, folder, FIRST)
    after = lived(system, folder, SECOND)
    assert grown(before, after, SHARE, LEAST) == []
    assert system.siren("verify").returncode == 0
