"""Keeping a data folder from other users of the machine."""

import os
import stat
from collections.abc import Iterable
from glob import escape
from pathlib import Path

from actors.contracts.errors import SirenError
from actors.runtime.lock_file import LOCK_NAME
from actors.settings import SERVICES
from cluster.running import token_secret

UMASK = 0o077
OTHERS = stat.S_IRWXG | stat.S_IRWXO
OURS = (*(f"{service}.db*" for service in SERVICES), LOCK_NAME, f"{token_secret.NAME}*")


def keep_files_private() -> None:
    """See to it that no file of this process, or of one that it starts, is open to others."""
    os.umask(UMASK)


def close_folder(folder: Path, databases: Iterable[str] = ()) -> None:
    """Close a folder, and what is ours in it, to everybody but its owner, who must be this user.

    `databases`: names of further files that are databases of ours.

    Raises `SirenError` where somebody else owns any of it, or where the file system cannot.
    """
    _close(folder, stat.S_IRWXU)
    for pattern in (*OURS, *(f"{escape(name)}*" for name in databases)):
        for path in folder.glob(pattern):
            _close(path, stat.S_IRUSR | stat.S_IWUSR)


def _close(path: Path, mode: int) -> None:
    """Close what stands at a path, at the end of its links."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return
    if facts.st_uid != os.geteuid():
        detail = (
            f"{path} belongs to another user (uid {facts.st_uid}), who could read and change "
            f"all orders: give it to uid {os.geteuid()}, or choose another data folder"
        )
        raise SirenError("data_folder_not_ours", detail)
    if not facts.st_mode & OTHERS:
        return
    why = "its file system keeps no permissions"
    try:
        path.chmod(mode)
        still_open = bool(path.stat().st_mode & OTHERS)
    except OSError as error:
        still_open, why = True, str(error.strerror)
    if still_open:
        detail = (
            f"{path} is open to other users, and cannot be closed ({why}): choose another data "
            "folder"
        )
        raise SirenError("data_folder_open", detail)
