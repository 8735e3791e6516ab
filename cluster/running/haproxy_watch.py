"""Looks after the HAProxy of a running system: starts it again at once where it dies or hangs.

Ray Serve looks every few seconds, and lets it be refused three times; everything is refused
meanwhile. Knows nothing of Ray.
"""

import json
import logging
import select
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from os import close, pidfd_open
from pathlib import Path

import psutil

from cluster.running.haproxy import Claim
from cluster.running.haproxy_wrapper import ANSWER_S, LAST_GOOD, pid_of

LOOK_S = 0.25
START_S = 5.0
PATIENCE = 3
"""How often in a row it may say nothing for `ANSWER_S`, where nobody has stopped it."""

logger = logging.getLogger("siren")


@contextmanager
def kept_up(claim: Claim, restarted: Callable[[], None]) -> Iterator[None]:
    """Keep the HAProxy of a system up while the block lasts, and its claim is not over.

    `restarted` is called each time that it had to be started: Serve's manager believes that its own
    still runs, and would change the configuration of that one.
    """
    watch = _Watch(claim.folder, restarted)
    thread = threading.Thread(target=watch.run, args=(claim.over,), name="haproxy", daemon=True)
    thread.start()
    try:
        yield
    finally:
        claim.over.set()
        thread.join()


class _Watch:
    def __init__(self, folder: Path, restarted: Callable[[], None]) -> None:
        self._folder = folder
        self._restarted = restarted
        self._pid: int | None = None
        self._silent = 0
        self._started: list[subprocess.Popen[bytes]] = []

    def run(self, over: threading.Event) -> None:
        while not over.is_set():
            try:
                seen = self._look()
            except Exception:
                logger.exception("looking after HAProxy failed")
                seen = False
            if not seen:
                over.wait(LOOK_S)

    def _look(self) -> bool:
        """Return whether HAProxy answers; then `LOOK_S` have passed, or it has ended."""
        self._started = [child for child in self._started if child.poll() is None]
        last_good = next(self._folder.glob(f"*/{LAST_GOOD}"), None)
        if last_good is None:
            return False  # Serve has not started it yet
        try:
            self._pid = pid_of(last_good.with_name("admin.sock"))
        except TimeoutError:
            self._end_what_hangs()
            return True
        self._silent = 0
        if self._pid is None:
            return self._start(last_good)
        _wait_for_end(self._pid, LOOK_S)
        return True

    def _end_what_hangs(self) -> None:
        self._silent += 1
        for process in haproxies(self._folder):
            with suppress(psutil.NoSuchProcess):
                stopped = process.status() == psutil.STATUS_STOPPED
                if stopped or (process.pid == self._pid and self._silent >= PATIENCE):
                    logger.warning("HAProxy (process %d) hangs; it is replaced", process.pid)
                    process.kill()
                    process.wait(START_S)

    def _start(self, last_good: Path) -> bool:
        """Start it on the last configuration; return whether it answers."""
        binary = json.loads((self._folder / "edge.json").read_text())["binary"]
        with (self._folder / "restarts.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - what `haproxy.claim` chose
                [binary, "-db", "-dR", "-f", str(last_good)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for `siren up`, which ends it last
            )
        self._started.append(process)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(TimeoutError):
                if pid_of(last_good.with_name("admin.sock"), ANSWER_S) == process.pid:
                    logger.warning("HAProxy had ended; it was started again")
                    self._restarted()
                    return True
            time.sleep(0.01)
        return False


def haproxies(folder: Path) -> list[psutil.Process]:
    """Return every HAProxy that runs on this folder, and whatever is about to become one."""
    return [process for process in psutil.process_iter() if _runs_on(process, folder)]


def _runs_on(process: psutil.Process, folder: Path) -> bool:
    try:
        command = process.cmdline()
    except psutil.Error:
        return False
    return any(
        option == "-f" and value.startswith(f"{folder}/") for option, value in pairwise(command)
    )


def _wait_for_end(pid: int, timeout: float) -> None:
    try:
        end = pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(end, select.POLLIN)
        poll.poll(timeout * 1000)
    finally:
        close(end)
