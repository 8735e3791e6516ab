"""A system at work, recorded: in this process, or a real one with all its processes."""

import inspect
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import httpx

from actors.runtime import sqlite_connections
from actors.settings import Settings
from tests.support.in_process import client_of, in_process
from tests.support.power import recorder
from tests.support.power.customers import Asked, Witness
from tests.support.power.disk import Call, Disk, read_calls
from tests.support.system import ROOT, SERVICES, System

CHECKPOINT_PAGES = 60
"""Production has 4,000: no recording would have a checkpoint in it."""
SITE = Path(__file__).parent / "site"

Life = Callable[[Witness], Awaitable[None]]


@dataclass
class Recording:
    """What was written into a folder from its first file on, and what clients were told.

    `alone_until`: until when there was one order alone. `ended`: until when the recording is whole.
    `files` is what the folder held then.
    """

    folder: str
    calls: list[Call]
    asked: list[Asked]
    prices: list[tuple[int, int]]
    alone_until: int
    ended: int
    files: dict[str, bytes]


def environment_of(logs: Path) -> dict[str, str]:
    """Return what lets a process, and all that it starts, record what SQLite writes."""
    return {
        "PYTHONPATH": os.pathsep.join((str(SITE), str(ROOT))),
        recorder.FOLDER: str(logs),
        recorder.CHECKPOINT: str(CHECKPOINT_PAGES),
    }


@contextmanager
def recorded(logs: Path, synchronous: str | None = None) -> Iterator[None]:
    """Record what SQLite writes in this process, with syncs, which other tests do without."""
    logs.mkdir()
    configure = inspect.unwrap(sqlite_connections._configure)
    with (
        closing(recorder.Recorder(logs)),
        patch.object(sqlite_connections, "_configure", configure),
    ):
        put_back = recorder.replace_settings(synchronous, str(CHECKPOINT_PAGES))
        try:
            yield
        finally:
            put_back()


async def record_in_process(
    folder: Path, life: Life, seed: int, synchronous: str | None = None
) -> Recording:
    """Record the whole system in this process, HTTP included."""
    data, logs = folder / "data", folder / "logs"
    data.mkdir(parents=True)
    # An empty file makes the system create all databases, instead of copying empty ones.
    (data / "readmodel.db").touch()
    with recorded(logs, synchronous):
        async with in_process(Settings(data_dir=data)) as siren, client_of(siren) as http:
            witness = Witness(http, seed)
            await life(witness)
            return _recording(data, logs, witness)


async def record_system(folder: Path, life: Life, seed: int) -> Recording:
    """Record a real system, started as a user would; each of its services must have recorded."""
    data, logs = folder / "data", folder / "logs"
    logs.mkdir(parents=True)
    system = System(data)
    system.environment |= environment_of(logs)
    try:
        system.start()
        async with httpx.AsyncClient(base_url=system.url, timeout=60) as http:
            witness = Witness(http, seed)
            await life(witness)
        found = _recording(data, logs, witness)
        for title in SERVICES:
            pids = [process.pid for process in system.processes(title)]
            assert pids, title
            for pid in pids:
                assert (logs / f"{pid}.log").exists(), f"{title} was not recorded"
    finally:
        system.stop()
    return found


def _recording(data: Path, logs: Path, witness: Witness) -> Recording:
    """Take what has been recorded, at a moment at which nothing was being written."""
    while True:
        began = time.monotonic_ns()
        files = {path.name: path.read_bytes() for path in data.glob("*.db*")}
        ended = time.monotonic_ns()
        calls = read_calls(logs)
        if not any(call.began <= ended and call.ended >= began for call in calls):
            calls = [call for call in calls if call.ended <= began]
            return Recording(
                str(data), calls, witness.asked, witness.prices, witness.alone_until, began, files
            )


def assert_whole(recording: Recording) -> None:
    """Check that what was recorded, put together, is what is in the files."""
    disk = Disk(recording.calls, recording.folder)
    disk.go_to(recording.ended)
    found = disk.contents()
    files = {name: content for name, content in recording.files.items() if "-shm" not in name}
    assert found.keys() == files.keys()
    assert [name for name in files if found[name] != files[name]] == []
