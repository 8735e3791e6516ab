"""What happens to a real system's storage: a disk without room, files that take no write, locks.

As root: a disk is a file system of its own in a file, so that it can be filled. What reads while
that lasts, and what is in the log, is looked at from outside.
"""

import errno
import fcntl
import os
import sqlite3
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx

from cluster.running.lost_logs import log_of
from tests.support.outside import headers, new_order
from tests.support.system import System

GET_FLAGS, SET_FLAGS, IMMUTABLE = 0x80086601, 0x40086602, 0x10
"""Of `ioctl_iflags(2)`."""
FIRST_MB = 1 << 20


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Put an ext4 file system of so many megabytes at a folder for as long as the block lasts."""
    image = folder.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    folder.mkdir()
    for command in ("mkfs.ext4 -q -F -m 0", "mount -o loop"):
        where = [image] if command.startswith("mkfs") else [image, folder]
        subprocess.run([*command.split(), *where], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        image.unlink()


def disks(folder: Path, names: Iterable[str], megabytes: int, stack: ExitStack) -> dict[str, Path]:
    """Return a disk of so many megabytes for each name; `stack` takes them away again."""
    return {name: stack.enter_context(disk(folder / name, megabytes)) for name in names}


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Leave no room on the disk of a folder."""
    filling = folder / "filling"
    with filling.open("wb") as file:
        chunk = FIRST_MB
        while chunk:
            try:
                os.write(file.fileno(), b"\xff" * chunk)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                chunk //= 2
    try:
        yield
    finally:
        filling.unlink()


@contextmanager
def read_only(file: Path) -> Iterator[None]:
    """Let a database and its log take no write, also of those who have them open (as root)."""
    parts = [file, log_of(file)]
    for part in parts:
        _change_flags(part, lambda flags: flags | IMMUTABLE)
    try:
        yield
    finally:
        for part in parts:
            _change_flags(part, lambda flags: flags & ~IMMUTABLE)


def _change_flags(file: Path, change: Callable[[int], int]) -> None:
    with file.open("rb") as opened:
        (flags,) = struct.unpack("l", fcntl.ioctl(opened, GET_FLAGS, bytes(8)))
        fcntl.ioctl(opened, SET_FLAGS, struct.pack("l", change(flags)))


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the write lock of a database, as another process does that has begun to write."""
    with closing(sqlite3.connect(file, timeout=60, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield


def log_lines(system: System) -> list[str]:
    """Return what the services and the gateway have logged so far."""
    files = system.ray_logs().glob("worker-*.err")
    lines = [line for file in files for line in file.read_text(errors="replace").splitlines()]
    return [line for line in lines if " siren " in line]


@contextmanager
def read_meanwhile(system: System, path: str) -> Iterator[Counter[int]]:
    """Get an address again and again, and count the statuses; no answer at all is 0."""
    statuses, over = Counter[int](), threading.Event()

    def read() -> None:
        with httpx.Client(base_url=system.url, timeout=40) as http:
            while not over.wait(0.05):
                try:
                    statuses[http.get(path).status_code] += 1
                except httpx.HTTPError:
                    statuses[0] += 1

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield statuses
    finally:
        over.set()
        reader.join()


def made(system: System) -> str | None:
    """Place an order; return its id where it is accepted at once."""
    answer = system.http.post("/orders", json=new_order(), headers=headers(prefer="wait=5"))
    if not answer.is_success:
        return None
    detail = answer.json()
    return str(detail["order_id"]) if detail["order_status"] == "ACCEPTED" else None


def assert_says_when_to_come_again(answer: httpx.Response) -> None:
    """Check that a refusal is a problem document, with words, and says when to ask again."""
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] in ("database_unavailable", "no_reply")
    assert problem["detail"]
