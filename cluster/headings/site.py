"""A system that runs on this machine, seen from outside: by HTTP, commands and processes."""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil

from actors.contracts.errors import Unavailable
from actors.runtime.lock_file import is_held, read_holder
from actors.settings import Settings
from cluster.headings.load import Result, Workload, http_request, load_in_own_process
from cluster.headings.one_request import Answer, ask
from cluster.running.process_kinds import family_on
from cluster.running.processes import title_of
from cluster.running.token_secret import read_secret
from serve_app.contract.identity import Identity, Role
from serve_app.security.tokens import issue

ASK_S = 40.0
COMMAND_S = 300.0
TOKEN = timedelta(hours=6)
SIREN = (sys.executable, "-P", "-m", "cluster.entry")
"""The `siren` command of this very installation, whatever PATH and the current folder have."""


class Printed(NamedTuple):
    """What a `siren` command gave."""

    code: int
    out: str
    err: str


class Site:
    """The system that runs on a data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token: str | None = None
        """What requests show, where the system wants one."""

    @property
    def holder(self) -> dict[str, Any]:
        """What the lock file tells; raises `Unavailable` where nothing runs."""
        holder = read_holder(self.folder)
        if not is_held(self.folder) or "url" not in holder:
            raise Unavailable("not_up", f"siren is not up: nothing runs on {self.folder}")
        return holder

    @property
    def url(self) -> str:
        """Where it answers."""
        return str(self.holder["url"])

    @property
    def port(self) -> int:
        """The port that it answers on."""
        port = urlsplit(self.url).port
        assert port is not None
        return port

    async def sign_in(self, settings: Settings) -> None:
        """Make a token of a service, which no rate limit holds up, where requests need one.

        Raises `SirenError` where its secret cannot be read.
        """
        if (await self.ask("GET", "/orders/none")).status in (401, 403):
            identity = Identity("headings", Role.SERVICE)
            self.token = issue(read_secret(settings), identity, TOKEN)[0]

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send one request and return its answer; raises `OSError` where there is none in time."""
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        request = http_request(method, path, body, Connection="close", **headers)
        async with asyncio.timeout(ASK_S):
            return await ask("127.0.0.1", self.port, request)

    async def load(
        self, workload: Workload, connections: int, seconds: float, *, reopen: bool = False
    ) -> Result:
        """Load it from a process of its own, as `load_in_own_process` says."""
        return await load_in_own_process(
            self.port, workload, connections, seconds, token=self.token, reopen=reopen
        )

    async def siren(self, *arguments: str, **environment: str) -> Printed:
        """Run a `siren` command on this system's data folder."""
        process = await asyncio.create_subprocess_exec(
            *SIREN,
            *arguments,
            env=self.environment | environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(COMMAND_S):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return Printed(process.returncode, out.decode(), err.decode())

    @property
    def environment(self) -> dict[str, str]:
        """What commands on this system see: this process's environment, and its folder."""
        return {**os.environ, "SIREN_DATA_DIR": str(self.folder), "COLUMNS": "200"}

    def processes(self, title: str = "") -> list[psutil.Process]:
        """Return its processes whose title begins with `title`, `siren up` itself included."""
        return [each for each in family_on(self.folder) if title_of(each).startswith(title)]
