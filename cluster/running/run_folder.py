"""The folder of one run of the system: Ray's files and sockets, HAProxy's, gone with the run.

It is short, because a Unix socket's path may have 107 bytes and a data folder may lie deep, and it
is nobody else's: Ray makes everything inside writable for all, and believes what it finds there.
"""

import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from actors.contracts.errors import SirenError
from cluster.running import processes
from cluster.running.data_folder import check_space

PREFIX = "siren."
NAME = re.compile(re.escape(PREFIX) + "[a-z0-9_]{8}")
"""As `mkdtemp` makes them."""
MARK = "of-siren-order"
"""A file that tells it from what somebody else called like it."""
LONGEST = 29
"""Bytes; Serve adds 68 for HAProxy's socket, which may have 97 bytes, Ray 66 for its sockets."""
YOUNG_S = 60.0
"""A folder that is younger may not be locked yet."""


class RunFolder:
    """Makes the folder, holds its lock for as long as this process lives, and removes it.

    Folders of runs that died are removed first, and what still runs on them is ended.
    """

    def __init__(self) -> None:
        self.path = Path()
        self._lock: int | None = None

    def __enter__(self) -> Self:
        try:
            parent = _parent()
            remove_dead(parent)
            check_space(parent)
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (self.path / MARK).touch()
        except OSError as error:
            detail = f"cannot make a folder for this run: {error.strerror}"
            raise SirenError("no_run_folder", detail) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove the folder, and let it go."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def remove_dead(parent: Path) -> None:
    """Remove this user's folders of runs that are over, and end what still runs on them."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.lstat().st_ctime > YOUNG_S:
                remove_if_dead(folder)


def remove_if_dead(folder: Path) -> None:
    """Remove a run's folder and end what still runs on it, unless it is held or not ours."""
    with suppress(OSError):
        if _is_over(folder):
            processes.end_on(folder)
            shutil.rmtree(folder, ignore_errors=True)


def _is_over(folder: Path) -> bool:
    facts = folder.lstat()
    ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()
    if not ours or not NAME.fullmatch(folder.name) or not (folder / MARK).is_file():
        return False
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _parent() -> Path:
    """Return where the folder goes: $TMPDIR, unless a socket's path would be too long there."""
    parent = Path(tempfile.gettempdir())
    return parent if len(os.fsencode(parent)) < LONGEST - len(PREFIX) - 8 else Path("/tmp")  # noqa: S108 - mkdtemp makes a name of our own in it
