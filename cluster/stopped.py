"""Ends what stands before the orders and was stopped (SIGSTOP): Serve and Ray start it again.

A stopped process is told from a busy one at once, and surely. By its silence, which Serve goes by,
only after many seconds: a replica with thousands of new streams is silent for some, too.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

TITLES = (
    "ray::ServeReplica:siren:gateway",
    "ray::HAProxyManager",
    "ray::ProxyActor",
    "ray::ServeController",
)
LOOK_S = 0.25
LOOKS_A_SEARCH = 4
"""To search for processes costs some milliseconds, to look at one next to nothing."""

logger = logging.getLogger("siren")


@contextmanager
def ended_where_stopped() -> Iterator[None]:
    """Kill whatever of the gateway is found stopped twice in a row, while the block lasts."""
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(over,), name="stopped", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _watch(over: threading.Event) -> None:
    looks = 0
    watched: list[psutil.Process] = []
    before: set[psutil.Process] = set()
    while not over.wait(LOOK_S):
        if looks % LOOKS_A_SEARCH == 0:
            watched = _front()
        looks += 1
        stopped = {process for process in watched if _is_stopped(process)}
        for process in stopped & before:
            with suppress(psutil.Error):
                logger.warning("%s (process %d) was stopped: ended", _title(process), process.pid)
                process.kill()
        before = stopped


def _front() -> list[psutil.Process]:
    family = psutil.Process().children(recursive=True)
    return [process for process in family if _title(process).startswith(TITLES)]


def _is_stopped(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(process.status() == psutil.STATUS_STOPPED)
    return False


def _title(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline()).strip()
    return ""
