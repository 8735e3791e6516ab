"""The real system as a process of its own: started as a user would, watched from outside.

Tests reach it by HTTP and read its databases by SQL; they never ask the code under test.
"""

import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from cluster.running import environment
from cluster.running.environment import free_port
from cluster.running.haproxy_watch import haproxies
from cluster.running.processes import lives, title_of

# Before anything here imports Ray: whoever joins a system's Ray has to show its token, and a call
# that comes after this process has left it must not start another one.
environment.prepare()
os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"

PREPARED = environment.SERVE | environment.RAY | environment.LOOPBACK
"""What another checkout's system prepares by itself, otherwise perhaps."""
ROOT = Path(__file__).parents[2]
PUBLIC_PLACES = 20
"""Requests that each replica of the public system works on at a time."""
START_S = 180.0
STARTS = 3
STOP_S = 90.0
POLL_S = 0.05
LOG_TAIL = 4000
# The raylet waits 15 s for its agents, no longer, and then dies (ray-project/ray#65983).
RAY_WAS_TOO_SLOW = "timed out during startup"

FORMER_PORTS = ("RAY_SERVE_HAPROXY_METRICS_PORT", "RAY_SERVE_HAPROXY_STATS_PORT")
"""Checkouts from before ports were held wanted the same ones where they started together."""

ORDER_ACTOR = "ray::OrderActor"
PAYMENT_ACTOR = "ray::PaymentActor"
STORE_ACTOR = "ray::StoreActor"
PROJECTION_ACTOR = "ray::ProjectionActor"
GATEWAY = "ray::ServeReplica:siren:gateway"
HAPROXY_MANAGER = "ray::HAProxyManager"
SERVE_CONTROLLER = "ray::ServeController"
SERVICES = (ORDER_ACTOR, PAYMENT_ACTOR, STORE_ACTOR, PROJECTION_ACTOR)


def on_the_system(nodeid: str) -> bool:
    """Tell whether a test uses the run's one real system."""
    return nodeid.startswith(("tests/browser/", "tests/http/", "tests/scripts/"))


def eventually(
    condition: Callable[[], Any], what: str, within: float = 60.0, every: float = POLL_S
) -> Any:
    """Return the first truthy answer of `condition`, asked again and again.

    An HTTP error or a locked database counts as "not yet". Fails after `within` seconds.
    """
    deadline = time.monotonic() + within
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = condition()
        except (httpx.HTTPError, sqlite3.Error) as error:
            last = error
        if last and not isinstance(last, Exception):
            return last
        threading.Event().wait(every)
    raise AssertionError(f"not within {within:.0f} s: {what}; last: {last!r}")


class System:
    """One installation on a folder and a port of its own.

    It is this checkout's, or that of `checkout`, which was installed by its own `make install`.
    """

    def __init__(self, data_dir: Path, checkout: Path = ROOT, /, **settings: object) -> None:
        self.data_dir = data_dir
        self._checkout = checkout
        own = checkout == ROOT
        self._python = sys.executable if own else str(checkout / ".venv" / "bin" / "python")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data_dir.with_suffix(".log")
        self.environment = {
            **{name: text for name, text in os.environ.items() if own or name not in PREPARED},
            # Actors of the tests are imported in its workers too.
            "PYTHONPATH": str(checkout),
            "COLUMNS": "200",
            "SIREN_DATA_DIR": str(data_dir),
            "SIREN_PORT": str(self.port),
            **({} if own else {name: str(free_port()) for name in FORMER_PORTS}),
            **{f"SIREN_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.started_at = "/readyz"
        """What answers 200 once it is started; a damaged one has reason not to be ready."""
        self.options: tuple[str, ...] = ()
        """Of `siren up`."""
        self._ray_folders: list[str] = []
        self.http = httpx.Client(base_url=self.url, timeout=40)

    def siren(
        self, *arguments: str, within: float = START_S, **environment: object
    ) -> subprocess.CompletedProcess[str]:
        """Run a `siren` command on this installation."""
        return self.run("-m", "cluster.cli", *arguments, within=within, **environment)

    def run(
        self, *arguments: str, within: float = START_S, **environment: object
    ) -> subprocess.CompletedProcess[str]:
        """Run Python beside the system: in its environment, and joining its Ray."""
        joining = {"RAY_ADDRESS": self.holder().get("ray", "")}
        given = {name: str(value) for name, value in (joining | environment).items()}
        return subprocess.run(
            [self._python, *arguments],
            env=self.environment | given,
            cwd=self._checkout,
            capture_output=True,
            text=True,
            check=False,
            timeout=within,
        )

    def start(self, **settings: object) -> float:
        """Start it, `settings` changed, and return after how many seconds it could take orders."""
        self.environment |= {f"SIREN_{name.upper()}": str(v) for name, v in settings.items()}
        for _ in range(STARTS):
            began = time.monotonic()
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [self._python, "-m", "cluster.cli", "up", *self.options],
                    env=self.environment,
                    cwd=self._checkout,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            if eventually(self._started, "the system is ready", START_S) == "up":
                seconds = time.monotonic() - began
                self._ray_folders.append(str(self.ray_logs().parent))
                return seconds
        raise AssertionError(f"Ray does not start on this machine:\n{self.log_tail()}")

    def _started(self) -> str:
        """Return "up", "again" where it is Ray's fault that it is not, "" while it starts."""
        assert self._process is not None
        if self._process.poll() is not None:
            assert RAY_WAS_TOO_SLOW in " ".join(self.log_tail().split()), self.log_tail()
            return "again"
        return "up" if self.http.get(self.started_at).status_code == httpx.codes.OK else ""

    def log_tail(self) -> str:
        """Return the end of what it printed."""
        return self.log.read_text(errors="replace")[-LOG_TAIL:]

    def holder(self) -> dict[str, Any]:
        """Return what the lock file says of the running system: its pid, Ray and address."""
        try:
            facts: dict[str, Any] = json.loads((self.data_dir / "siren.lock").read_text())
        except (OSError, ValueError):
            return {}
        return facts

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=STOP_S)
        self.http.close()

    @contextmanager
    def ray(self) -> Iterator[None]:
        """Join its Ray from this process, in its namespace."""
        import ray  # noqa: PLC0415 - see above

        ray.init(
            self.holder()["ray"],
            namespace="siren",
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        try:
            yield
        finally:
            ray.shutdown()

    def ray_logs(self) -> Path:
        """Return the folder in which Ray keeps the logs of its processes."""
        raylets = [command for command in self._commands() if "/raylet/raylet" in command]
        argument = next(a for a in raylets[0].split() if a.startswith("--log_dir="))
        return Path(argument.partition("=")[2])

    def _commands(self) -> list[str]:
        return [title_of(process) for process in self.processes()]

    def processes(self, title: str = "") -> list[psutil.Process]:
        """Return the processes of the system whose title begins with `title`, its own included."""
        assert self._process is not None
        try:
            family = [psutil.Process(self._process.pid)]
            family += family[0].children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [process for process in family if title_of(process).startswith(title)]

    def haproxies(self) -> list[psutil.Process]:
        """Return the living HAProxy of the system, for a moment two while one follows another."""
        return [process for process in haproxies(Path(self.holder()["run"])) if lives(process)]

    def kill(self, title: str) -> int:
        """kill -9 whatever has this title; return how many processes that were."""
        victims = self.processes(title)
        for victim in victims:
            _kill(victim)
        return len(victims)

    def kill_everything(self) -> None:
        """kill -9 every process of the system at once, Ray's own included."""
        assert self._process is not None
        victims = self.processes()
        for victim in victims:
            _kill(victim)
        self._process.wait()
        psutil.wait_procs(victims, timeout=30)

    def ended(self, within: float = STOP_S) -> int:
        """Wait until it has ended by itself, and return its exit code."""
        assert self._process is not None
        return self._process.wait(timeout=within)

    def run_folder(self) -> Path:
        """Return the folder of this run: Ray's files and HAProxy's."""
        return Path(self.holder()["run"])

    def leftovers(self) -> list[str]:
        """Return what still runs of this system, whoever its parent is now."""
        return [title_of(process) for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        """Tell by its environment; Ray's workers write over theirs, but keep their logs open."""
        try:
            if process.environ().get("SIREN_DATA_DIR") == str(self.data_dir):
                return lives(process)
            if not title_of(process).startswith("ray::"):
                return False
            return any(f.path.startswith(tuple(self._ray_folders)) for f in process.open_files())
        except psutil.Error:
            return False

    @contextmanager
    def held_down(self, *titles: str) -> Iterator[Counter[str]]:
        """Keep processes dead: kill -9 each as often as Ray starts it again, and count."""
        killed: Counter[str] = Counter()

        def kill() -> None:
            for title in titles:
                killed[title] += self.kill(title)

        with _again_and_again(kill):
            yield killed

    @contextmanager
    def held_frozen(self, title: str) -> Iterator[None]:
        """Keep a service stopped: it is ended for that, and what comes in its place is stopped."""

        def stop() -> None:
            for process in self.processes(title):
                with suppress(psutil.NoSuchProcess):
                    process.suspend()

        stop()
        try:
            with _again_and_again(stop):
                yield
        finally:
            for process in self.processes(title):
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    @contextmanager
    def frozen(self, title: str) -> Iterator[None]:
        """Stop processes without ending them: they neither answer nor fail."""
        victims = self.processes(title)
        assert victims, f"nothing called {title} to freeze"
        for victim in victims:
            victim.suspend()
        try:
            yield
        finally:
            for victim in victims:
                with suppress(psutil.NoSuchProcess):  # whoever missed it had it replaced
                    victim.resume()

    def sql(self, service: str, query: str, *parameters: object) -> list[Any]:
        """Return the rows of a query on a service's database, read from outside."""
        path = self.data_dir / f"{service}.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
            database.row_factory = sqlite3.Row
            return database.execute(query, parameters).fetchall()


@contextmanager
def _again_and_again(act: Callable[[], None]) -> Iterator[None]:
    over = threading.Event()

    def hold() -> None:
        while not over.wait(0.02):
            act()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        yield
    finally:
        over.set()
        holder.join()


def program_of(process: psutil.Process) -> str:
    """Return the name of a process's program, "" where it is gone."""
    try:
        return Path(process.exe()).name
    except psutil.Error:
        return ""


def connections_of(process: psutil.Process) -> list[Any]:
    """Return the internet connections and listeners of a process, none where it is gone."""
    try:
        return process.net_connections("inet")
    except psutil.Error:
        return []


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()
