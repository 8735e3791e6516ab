"""`siren down`: the end of a system, from another process, whatever state it is in."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from actors.contracts.errors import SirenError
from actors.runtime.lock_file import is_held, read_holder
from cluster.running.processes import lives
from cluster.running.run_folder import remove_if_dead
from cluster.running.up import STOP_S

WORD_S = 4.0
LOOK_S = 0.1
KILLED_S = 10.0
MARGIN_S = 10.0
"""More than `siren up` gives itself."""


def stop(folder: Path, say: Callable[[str], None]) -> int | None:
    """Stop the system that runs on a data folder, and return its process; None: nothing runs.

    It is asked to, and killed where it has not stopped after `STOP_S` and a margin; once this
    returns, the process and all that it started are gone. Raises `SirenError` where even that does
    not help.
    """
    holder = read_holder(folder)
    pid = holder.get("pid")
    if not isinstance(pid, int) or not is_held(folder):
        return None
    process = _process(pid)
    say(f"stopping process {pid}")
    # A stopped process takes no other signal.
    for number in (signal.SIGTERM, signal.SIGCONT):
        _send(pid, number)
    if not _ends(folder, process, STOP_S + MARGIN_S, say):
        say(f"process {pid} does not stop: killing it")
        _send(pid, signal.SIGKILL)
        if not _ends(folder, process, KILLED_S, say):
            raise SirenError("still_running", f"process {pid} cannot be killed")
    run = holder.get("run")
    if isinstance(run, str):
        remove_if_dead(Path(run))
    return pid


def _ends(
    folder: Path, process: psutil.Process | None, within: float, say: Callable[[str], None]
) -> bool:
    begun = said = time.monotonic()
    # The folder is let go while what was started for it is still to be ended.
    while is_held(folder) or (process is not None and lives(process)):
        now = time.monotonic()
        if now - begun > within:
            return False
        if now - said > WORD_S:
            said = now
            say(f"  still stopping, {now - begun:.0f} s")
        time.sleep(LOOK_S)
    return True


def _process(pid: int) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid)  # which is told from whoever gets its number later
    return None


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
