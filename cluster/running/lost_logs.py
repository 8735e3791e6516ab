"""Whether an SQLite database's write-ahead log has lost commits, of which SQLite says nothing.

It takes the log up to the first frame whose checksum is wrong, for a crash may have torn that one,
and writes over the rest. But a commit is synced before the next one begins: behind what a crash has
torn, there is nothing but the end of its own transaction, or of one that had failed there before.
"""

import shutil
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from actors.runtime.database_faults import aside_of

# https://www.sqlite.org/fileformat2.html#walformat
MAGIC = {b"\x37\x7f\x06\x82": "<", b"\x37\x7f\x06\x83": ">"}
"""What a log begins with, and the order of bytes of its checksums."""
HEADER = struct.Struct(">4s7I")
FRAME = struct.Struct(">6I")
SUM = struct.Struct(">2I")
SUMMED = 8
"""Bytes of a frame's header that its checksum is of, beside its page."""
TORN = 2
"""So many commits behind a frame that is none may be what crashes and failures leave."""
PART = 1 << 20
VALID_FRAMES = slice(16, 20)
"""Of the index of the log (`-shm`), in the machine's order of bytes: where SQLite ends reading."""


def lost_log(file: Path) -> str:
    """Return what is wrong with the log of a database that nobody uses, "" where nothing is.

    Changes neither.
    """
    log = log_of(file)
    if not log.exists() or log.stat().st_size == 0:
        return ""
    with log.open("rb") as opened:
        head = opened.read(HEADER.size)
        if not _begins_well(head):
            # A crash may have undone its first write, which is synced before anything follows it.
            written = any(part.strip(b"\0") for part in (head, *_parts(opened)))
            return f"nothing of {log.name} can be read: commits in it are lost" if written else ""
        lost = sum(_commits(opened, head, _valid_frames(file)))
    return f"{lost} commits behind a damaged place in {log.name} are lost" if lost > TORN else ""


def keep_log(file: Path) -> Path:
    """Keep a copy of the log of a database, which SQLite may write over; return where it is."""
    log = log_of(file)
    kept = aside_of(log)
    shutil.copy2(log, kept)
    return kept


def log_of(file: Path) -> Path:
    """Return the write-ahead log of a database."""
    return file.with_name(file.name + "-wal")


def _begins_well(head: bytes) -> bool:
    if len(head) < HEADER.size or head[:4] not in MAGIC:
        return False
    return _checksum(MAGIC[head[:4]], head[: -SUM.size]) == SUM.unpack(head[-SUM.size :])


def _valid_frames(file: Path) -> int | None:
    """Return how many frames SQLite takes; None where it does not get as far as the log."""
    index = file.with_name(file.name + "-shm")
    address = f"file:{quote(str(file))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as database:
            database.execute("BEGIN")
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return int(struct.unpack("=I", index.read_bytes()[VALID_FRAMES])[0])
    except (sqlite3.Error, OSError):
        return None


def _commits(log: BinaryIO, head: bytes, valid: int | None) -> Iterator[bool]:
    """Yield, for each whole frame behind the valid ones, whether it is the end of a commit."""
    if valid is None:
        return
    magic, _, page_size, _, *salts = HEADER.unpack(head)[:6]
    size = FRAME.size + page_size
    former: tuple[int, int] | None = None
    log.seek(HEADER.size + valid * size)
    while len(frame := log.read(size)) == size:
        _, database_size, *frame_salts, first, second = FRAME.unpack(frame[: FRAME.size])
        if frame_salts == salts:
            content = frame[:SUMMED] + frame[FRAME.size :]
            follows = former is not None and database_size > 0
            yield follows and _checksum(MAGIC[magic], content, former) == (first, second)
        former = first, second


def _checksum(order: str, content: bytes, former: tuple[int, int] | None = None) -> tuple[int, int]:
    first, second = former or (0, 0)
    for one, other in struct.iter_unpack(f"{order}2I", content):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second


def _parts(opened: BinaryIO) -> Iterator[bytes]:
    while part := opened.read(PART):
        yield part
