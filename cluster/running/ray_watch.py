"""Looks after Ray's own processes, without which the system only seems to run."""

import threading
from typing import Any

import psutil
import ray
from ray._private import worker
from ray.exceptions import RayError

from actors.runtime.silence import Silence

LOOK_S = 0.5
ASK_S = 2.0
SILENCE_S = 30.0
"""More than for an actor: to end everything is dear, and a machine may be slow."""
SERVERS = {"gcs_server": "Ray's control service (gcs_server)", "raylet": "Ray's raylet"}


class RayWatch:
    """Tells what is wrong with the Ray that this process has started; look every `LOOK_S`.

    It asks Ray until `over` is set.
    """

    def __init__(self, over: threading.Event) -> None:
        self._over = over
        self._silences = {name: Silence(LOOK_S) for name in SERVERS}
        self._processes = _processes()
        self._servers = {name: self._processes[name][0].process for name in SERVERS}
        self._dead_node = False
        threading.Thread(target=self._ask, daemon=True).start()

    @property
    def pids(self) -> set[int]:
        """The processes whose end somebody else takes note of."""
        return {info.process.pid for infos in [*self._processes.values()] for info in infos}

    def fault(self) -> str | None:
        """Return what is wrong, in one sentence; None where nothing is."""
        for name, title in SERVERS.items():
            code = self._servers[name].poll()
            if code is not None:
                return f"{title} has died (exit code {code})"
            if self._is_running(name) and name == "raylet":
                self._silences[name].heard()
            if self._silences[name].look() > SILENCE_S:
                return f"{title} has not answered for {SILENCE_S:.0f} s"
        if self._dead_node:
            return "Ray has given this machine's raylet up"
        return None

    def _is_running(self, name: str) -> bool:
        try:
            status = psutil.Process(self._servers[name].pid).status()
        except psutil.Error:
            return False
        return status not in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)

    def _ask(self) -> None:
        """Ask the control service again and again; the call hangs for as long as that does."""
        while not self._over.wait(ASK_S):
            try:
                self._dead_node = not all(node["Alive"] for node in _nodes())
                self._silences["gcs_server"].heard()
            except (RayError, RuntimeError, OSError):
                pass


def server_pids() -> dict[str, int]:
    """Return the processes of the Ray that this one has started."""
    return {name: _processes()[name][0].process.pid for name in SERVERS}


def _processes() -> dict[str, list[Any]]:
    node: Any = worker._global_node  # noqa: SLF001 - Ray tells it nowhere else
    processes: dict[str, list[Any]] = node.all_processes
    return processes


def _nodes() -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return nodes
