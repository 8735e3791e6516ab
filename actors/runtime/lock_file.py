"""What a data folder's lock file tells: who runs the system on it, and where its Ray answers.

It is believed only where it is a plain file of this user that nobody else may write: whoever could
change it would lead its readers, and Ray's token with them, to a process of their own.
"""

import fcntl
import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

from actors.contracts.errors import Unavailable

LOCK_NAME = "siren.lock"
DATA_DIR = "SIREN_DATA_DIR"
RAY_ADDRESS = "RAY_ADDRESS"
DEFAULT_FOLDER = "data"


def open_lock(folder: Path, flags: int) -> int:
    """Open a folder's lock file, made where `flags` say so, and return its descriptor.

    Raises `PermissionError` where it is not ours alone, and any other `OSError`.
    """
    # Without NONBLOCK, a pipe in its place would keep us waiting.
    flags |= os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    lock = os.open(folder / LOCK_NAME, flags, 0o600)
    facts = os.fstat(lock)
    ours = stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid()
    if not ours or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        os.close(lock)
        raise PermissionError(0, "its lock file is not this user's alone")
    return lock


def read_holder(folder: Path) -> dict[str, Any]:
    """Return what the holder of a data folder told; empty where nobody did whom we believe."""
    try:
        with os.fdopen(open_lock(folder, os.O_RDONLY), encoding="utf-8") as lock:
            facts = json.load(lock)
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def is_held(folder: Path) -> bool:
    """Return whether a living process of this user holds the folder."""
    try:
        lock = open_lock(folder, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def ray_address(folder: Path) -> str:
    """Return the address of the Ray of the system that runs on a data folder.

    Raises `Unavailable` where none runs, or where it has not got that far.
    """
    address = read_holder(folder).get("ray")
    if not is_held(folder) or not isinstance(address, str):
        detail = f"siren is not up: nothing runs on {folder}; start it with `siren up`"
        raise Unavailable("not_up", detail)
    return address


def same_address(one: str, other: str) -> bool:
    """Return whether two host:port lead to the same place."""
    return _resolved(one) == _resolved(other)


def _resolved(address: str) -> str:
    host, _, port = address.rpartition(":")
    try:
        return f"{socket.gethostbyname(host)}:{port}"
    except OSError:
        return address


def named_address() -> str | None:
    """Return the address of the one system that the environment names; None where it names none.

    `RAY_ADDRESS` is an address, `SIREN_DATA_DIR` the folder whose lock file holds one. Raises
    `Unavailable` where they name different systems, or one that does not run.
    """
    named = os.environ.get(RAY_ADDRESS) or None
    if named is not None and ":" not in named:
        raise Unavailable("no_address", f"{RAY_ADDRESS}={named} is no host:port")
    folder = os.environ.get(DATA_DIR)
    if not folder:
        return named
    address = ray_address(Path(folder).absolute())
    if named is not None and not same_address(named, address):
        detail = (
            f"{RAY_ADDRESS} is {named}, but the system of {DATA_DIR}={folder} has its Ray at "
            f"{address}: unset one of them"
        )
        raise Unavailable("two_systems", detail)
    return address


def default_address() -> str:
    """Return the address of the system that runs on the default data folder, ./data.

    Raises `Unavailable` where none runs there: no other system on this machine is meant.
    """
    try:
        return ray_address(Path(DEFAULT_FOLDER).absolute())
    except Unavailable as error:
        detail = f"{error.detail}, or set {DATA_DIR} to the folder of the system that you mean"
        raise Unavailable(error.code, detail) from None
