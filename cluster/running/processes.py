"""The processes of one system: all that `siren up` started, whoever started them for it."""

import ctypes
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

END_S = 5.0
LOOK_S = 0.05
QUIET_LOOKS = 4
"""After so many looks without a process nobody is left who could start one."""
PR_SET_CHILD_SUBREAPER = 36
PROGRAMS = ("raylet", "gcs_server", "haproxy")
RAYS_TITLES = ("ray::", "ray-dashboard")
"""How the command lines begin that Ray's Python processes write over their own."""


def adopt_orphans() -> None:
    """Become the parent of whatever loses its parent below this process (Linux alone).

    A worker whose raylet died, or an HAProxy whose manager did, would else go to init, and nobody
    would know that it is ours.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def bury_orphans(known: set[int]) -> None:
    """Take note of the death of adopted children; those in `known` have somebody who waits."""
    with suppress(ChildProcessError):
        if os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return  # nobody has died: to go through all processes for that takes 1.4 ms
    for child in psutil.Process().children():
        with suppress(psutil.Error, ChildProcessError):
            if child.status() == psutil.STATUS_ZOMBIE and child.pid not in known:
                os.waitpid(child.pid, os.WNOHANG)


def children() -> set[int]:
    """Return the processes that this one is the parent of."""
    return {child.pid for child in psutil.Process().children()}


def end_family(spared: set[int], within: float = END_S) -> None:
    """Kill -9 every process below this one, until there is none for a moment or time is up.

    Children in `spared`, which were there before, and what is below them, are left alone.
    """
    deadline = time.monotonic() + within
    quiet = 0
    while quiet < QUIET_LOOKS and time.monotonic() < deadline:
        family = _family(spared)
        for process in family:
            with suppress(psutil.Error):
                process.kill()
        quiet = 0 if family else quiet + 1
        time.sleep(LOOK_S)


def _family(spared: set[int]) -> list[psutil.Process]:
    family = []
    for child in psutil.Process().children():
        if child.pid not in spared:
            with suppress(psutil.Error):
                family += [child, *child.children(recursive=True)]
    return [process for process in family if lives(process)]


def end_on(folder: Path) -> None:
    """Kill -9 this user's processes that were started on a folder, and Ray's that have its files.

    A script that has joined the system's Ray keeps logs of it open, too: it is left alone.
    """
    for process in psutil.process_iter():
        if process.pid != os.getpid() and _is_on(process, f"{folder}/"):
            with suppress(psutil.Error):
                process.kill()
                process.wait(END_S)


def lives(process: psutil.Process) -> bool:
    """Return whether a process is there, and not another one by now that got its number."""
    with suppress(psutil.Error):
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def title_of(process: psutil.Process) -> str:
    """Return what a process shows as its command line, "" where it is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _is_on(process: psutil.Process, folder: str) -> bool:
    try:
        if process.uids().effective != os.geteuid():
            return False
        program = Path(process.exe())
        if program.name not in PROGRAMS and program != Path(sys.executable).resolve():
            return False  # somebody who reads a log, say
        command = process.cmdline()
        if any(folder in word for word in command):
            return True
        if not command or not command[0].startswith(RAYS_TITLES):
            return False
        # Their command line no longer names the folder, but they keep their logs open.
        return any(file.path.startswith(folder) for file in process.open_files())
    except psutil.Error:
        return False
