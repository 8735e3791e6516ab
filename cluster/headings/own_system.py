"""A throw-away system: started as a user would, in a temporary folder, and always ended."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import psutil

from actors.contracts.errors import SirenError
from actors.runtime.lock_file import RAY_ADDRESS
from actors.settings import Service, Settings, variable
from cluster.headings.site import SIREN, Site
from cluster.headings.workloads import placed_paid_accepted
from cluster.running import processes
from cluster.running.environment import free_port

START_S = 180.0
STARTS = 3
STOP_S = 60.0
POLL_S = 0.1
WARM_UPS = 5
WARM_CONNECTIONS = 16
WARM_S = 2.0
LOG_TAIL = 2000
# The raylet waits 15 s for its agents, no longer, and then dies (ray-project/ray#65983).
RAY_WAS_TOO_SLOW = "timed out during startup"
OK = 200


class OwnSystem(Site):
    """One that this process has started, and may stop, start and kill; on SQLite, on loopback."""

    def __init__(self, folder: Path, **settings: object) -> None:
        super().__init__(folder / "data")
        self._port = free_port()
        self._settings = settings
        self._log = folder / "siren.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._run_folders: set[Path] = set()

    @property
    def port(self) -> int:
        """The port that it answers on, also while it does not run."""
        return self._port

    @property
    def environment(self) -> dict[str, str]:
        """What it and commands on it see: none of the settings of whoever runs this."""
        clean = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith("SIREN_") and name != RAY_ADDRESS
        }
        settings = {**self._settings, "data_dir": self.folder, "port": self.port}
        given = {variable(name): str(value) for name, value in settings.items()}
        return clean | given | {"COLUMNS": "200"}

    async def start(self, **settings: object) -> None:
        """Start it, `settings` changed, and return once it is ready; raises `SirenError`."""
        self._settings |= settings
        for _ in range(STARTS):
            self._process = self._up()
            if await self._is_ready():
                self._run_folders.add(Path(self.holder["run"]))
                return
        raise self._did_not_start()

    def _up(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - this very installation
                [*SIREN, "up"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the headings, which end it last
            )

    async def _is_ready(self) -> bool:
        """Wait until it is; False where Ray was too slow for itself, which a repeat mends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(START_S):
                while self.is_running:
                    with suppress(OSError, SirenError):
                        if (await self.ask("GET", "/readyz")).status == OK:
                            return True
                    await asyncio.sleep(POLL_S)
        if not self.is_running and RAY_WAS_TOO_SLOW in " ".join(self.log_tail().split()):
            return False
        raise self._did_not_start()

    async def warm_up(self) -> None:
        """Order until Serve has told HAProxy of each replica: that closes its connections."""
        for _ in range(WARM_UPS):
            if not (await self.load(placed_paid_accepted, WARM_CONNECTIONS, WARM_S)).errors:
                return

    def _did_not_start(self) -> SirenError:
        why = self.log_tail().rpartition("siren: ")[2]
        return SirenError(
            "no_start", f"the throw-away system did not start: {' '.join(why.split())}"
        )

    @property
    def is_running(self) -> bool:
        """Whether `siren up` still runs."""
        return self._process is not None and self._process.poll() is None

    def log_tail(self) -> str:
        """Return the end of what it printed."""
        return self._log.read_text(errors="replace")[-LOG_TAIL:]

    def kill(self, title: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to whatever has this title; return how many processes that were."""
        victims = self.processes(title)
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.send_signal(number)
        return len(victims)

    def kill_all(self) -> None:
        """Kill -9 every process of it at once."""
        assert self._process is not None
        self._kill(_family(self._process.pid))

    def _kill(self, family: list[psutil.Process]) -> None:
        assert self._process is not None
        for process in family:
            with suppress(psutil.Error):
                process.kill()
        self._process.wait()
        for folder in (self.folder, *self._run_folders):
            processes.end_on(folder)

    def sql(self, service: Service, query: str, *parameters: object) -> list[Any]:
        """Return the rows of a query on a service's database, read from outside."""
        path = self.folder / f"{service}.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
            database.row_factory = sqlite3.Row
            return database.execute(query, parameters).fetchall()

    def stop(self) -> None:
        """Stop it as Ctrl-C does, and kill what is left of it; blocks."""
        if self._process is None:
            return
        family = _family(self._process.pid)
        try:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(STOP_S)
        finally:  # also where Ctrl-C comes again
            self._kill(family)
            for folder in self._run_folders:
                shutil.rmtree(folder, ignore_errors=True)


def _family(pid: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        parent = psutil.Process(pid)
        return [*parent.children(recursive=True), parent]
    return []


@asynccontextmanager
async def own_system(**settings: object) -> AsyncIterator[OwnSystem]:
    """Run a system in a temporary folder while the block lasts, however that ends."""
    with tempfile.TemporaryDirectory(prefix="siren-headings-", ignore_cleanup_errors=True) as name:
        system = OwnSystem(Path(name), **settings)
        try:
            await system.start()
            await system.sign_in(Settings(data_dir=system.folder))
            await system.warm_up()
            yield system
        finally:
            system.stop()
