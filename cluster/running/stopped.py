"""Ends what was stopped (SIGSTOP) of actors and gateway: Ray and Serve start it again.

What is not theirs to start again, Ray's own servers, goes on instead (SIGCONT).

A stopped process is told from a busy one at once, and surely, in its start as well. By its silence,
which Serve goes by and whoever asks an actor, only after many seconds: a replica with thousands of
new streams is silent for some, too.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

WORKER = "ray::"
"""What the titles of Ray's workers begin with, whichever actor lives in them, or will."""
UNNAMED_WORKER = "default_worker.py"
"""What is in the command line of one that has no title yet."""
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""Ray's node ends with these."""
SERVERS = ("gcs_server", "raylet")
"""Programs without which all of Ray ends."""
LOOK_S = 0.25
LOOKS_A_SEARCH = 16
"""To search for processes costs 4 ms, to look at all of them 0.6: a search each second took more
than half of a percent from the orders."""

logger = logging.getLogger("siren")


@contextmanager
def ended_where_stopped() -> Iterator[None]:
    """End, or let go on, what of Ray's is found stopped twice in a row, while the block lasts."""
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
            watched = _watched()
        looks += 1
        stopped = {process for process in watched if _is_stopped(process)}
        for process in stopped & before:
            with suppress(psutil.Error):
                _mend(process)
        before = stopped


def _mend(process: psutil.Process) -> None:
    if _goes_on(process):
        logger.warning(
            "%s (process %d) was stopped: goes on", _title(process).partition(" ")[0], process.pid
        )
        process.resume()
    else:
        logger.warning("%s (process %d) was stopped: ended", _title(process), process.pid)
        process.kill()


def _goes_on(process: psutil.Process) -> bool:
    title = _title(process)
    return _is_server(title) or title.startswith(AGENTS)


def _watched() -> list[psutil.Process]:
    titles = {process: _title(process) for process in psutil.Process().children(recursive=True)}
    return [
        process
        for process, title in titles.items()
        if UNNAMED_WORKER in title or title.startswith(WORKER) or _is_server(title)
    ]


def _is_server(title: str) -> bool:
    return Path(title.partition(" ")[0]).name in SERVERS


def _is_stopped(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(process.status() == psutil.STATUS_STOPPED)
    return False


def _title(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline()).strip()
    return ""
