"""The data folder of an embedded system: made, checked and locked, so that one system has it."""

import fcntl
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from actors.contracts.errors import SirenError
from actors.runtime.database_faults import sqlite_files
from actors.runtime.lock_file import open_lock, read_holder
from actors.runtime.syncing import sync_names
from actors.settings import Settings
from cluster.running.privacy import close_folder

KIB = 1024
LEAST_FREE = 4 * 1024 * KIB
"""Bytes; empty databases and their logs take one megabyte."""


def check_space(path: Path) -> None:
    """Raise `SirenError` where the disk that a folder is on is full, or as good as."""
    disk = os.statvfs(path)
    free = disk.f_bavail * disk.f_frsize
    if free < LEAST_FREE:
        detail = (
            f"the disk of {path} is full: {free // KIB} KiB are free, and a start needs "
            f"{LEAST_FREE // KIB} KiB"
        )
        raise SirenError("disk_full", detail)


@contextmanager
def held(settings: Settings) -> Iterator["DataFolder"]:
    """Hold the data folder, and each other folder that the settings put a database's file into.

    Raises what `DataFolder.acquire` raises.
    """
    names: defaultdict[Path, list[str]] = defaultdict(list)
    for file in sqlite_files(settings).values():
        names[file.parent.resolve()].append(file.name)
    with ExitStack() as folders:
        own = names.pop(settings.data_dir.resolve(), ())
        folder = folders.enter_context(DataFolder(settings.data_dir, own))
        for path, databases in names.items():
            folders.enter_context(DataFolder(path, databases))
        yield folder


class DataFolder:
    """Holds the lock of a data folder for as long as this process lives, however it ends.

    The kernel releases the lock with the process, so a crash leaves nothing to clean up. The lock
    file tells who holds it and where the system answers. `databases`: names of databases' files in
    it that are not called by their service.
    """

    def __init__(self, path: Path, databases: Iterable[str] = ()) -> None:
        self.path = path.absolute()
        self._databases = tuple(databases)
        self.previous: dict[str, Any] = {}
        """What the last holder told, if it ended without releasing the folder."""
        self._lock: int | None = None

    def acquire(self) -> None:
        """Make and lock the folder, and close it to other users.

        Raises `SirenError` where it cannot be written or closed, or is held by another process.
        """
        try:
            _make(self.path)
            close_folder(self.path, self._databases)
            self._lock = open_lock(self.path, os.O_RDWR | os.O_CREAT)
        except FileExistsError as error:
            detail = f"the data folder {self.path} is a file, not a folder"
            raise SirenError("data_folder_not_a_folder", detail) from error
        except OSError as error:
            detail = f"the data folder {self.path} is not writable: {error.strerror}"
            raise SirenError("data_folder_not_writable", detail) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = read_holder(self.path).get("pid", "unknown")
            os.close(self._lock)
            self._lock = None
            detail = f"the data folder {self.path} is in use by process {holder}"
            raise SirenError("data_folder_in_use", detail) from error
        self.previous = read_holder(self.path)
        try:
            check_space(self.path)
            self.tell()
            self.tell(pid=os.getpid())
        except BaseException:
            os.close(self._lock)
            self._lock = None
            raise

    def tell(self, **facts: object) -> None:
        """Write who holds the lock, and where the system answers, into the lock file."""
        assert self._lock is not None
        text = json.dumps({**read_holder(self.path), **facts}) if facts else ""
        os.ftruncate(self._lock, 0)
        try:
            os.pwrite(self._lock, text.encode(), 0)
        except OSError as error:
            detail = f"cannot write into {self.path}: {error.strerror}"
            raise SirenError("data_folder_not_writable", detail) from error

    def release(self) -> None:
        """Let the folder go."""
        if self._lock is not None:
            self.tell()
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _make(path: Path) -> None:
    """Make a folder that is missing, and those above it; their names are on disk then."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in missing:
        sync_names(folder.parent)
