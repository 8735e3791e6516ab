"""What a power cut must not take is synced: files' content, and the names of files in folders."""

import os
from contextlib import suppress
from pathlib import Path


def sync(path: Path) -> None:
    """Let a file, or the names of a folder, be on disk; raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_names(folder: Path) -> None:
    """Let the names in a folder be on disk, where its file system can do that at all."""
    with suppress(OSError):  # as SQLite does it
        sync(folder)
