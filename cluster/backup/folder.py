"""A backup's folder: one process works on it, only its user may read it, and nothing is left over.

What no manifest names was left by a backup that was interrupted, or belonged to an older one.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from actors.contracts.errors import SirenError
from cluster.backup import manifest
from cluster.backup.manifest import ENDING, LOCK, NAME, NEW, SECRET_ENDING, Manifest
from cluster.running.privacy import close_folder

ENDINGS = (ENDING, SECRET_ENDING, NEW)


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make a folder, close it to others and hold it; what is left over goes at the end.

    Raises `SirenError` where it cannot be written, is held by another backup, or has anything in
    it that is no backup's.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_foreign(folder)
        close_folder(folder)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise not_written(folder, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        detail = f"another backup into {folder} is under way"
        raise SirenError("backup_under_way", detail) from error
    try:
        yield
    except OSError as error:
        raise not_written(folder, error) from error
    finally:
        _sweep(folder)
        os.close(lock)


def not_written(folder: Path, error: OSError) -> SirenError:
    """Return what tells that a backup could not be written, and that the one before is whole."""
    whole = "; the one before it is whole" if (folder / NAME).exists() else ""
    detail = f"cannot write the backup into {folder}: {error.strerror}{whole}"
    return SirenError("backup_not_written", detail)


def previous(folder: Path) -> Manifest | None:
    """Return the manifest of the backup that is there, None where none is; raises `SirenError`."""
    return manifest.read(folder) if (folder / NAME).exists() else None


def _refuse_foreign(folder: Path) -> None:
    ours = (LOCK, NAME)
    names = [each.name for each in folder.iterdir()]
    foreign = [name for name in names if name not in ours and not name.endswith(ENDINGS)]
    if foreign:
        detail = f"{folder} has {min(foreign)} in it, which is no backup's: name another folder"
        raise SirenError("not_a_backup_folder", detail)


def _sweep(folder: Path) -> None:
    with suppress(OSError, SirenError):  # of a damaged manifest nobody knows what it named
        whole = previous(folder)
        named = set() if whole is None else whole.files()
        for path in folder.iterdir():
            if path.name.endswith(ENDINGS) and path.name not in named:
                path.unlink()
