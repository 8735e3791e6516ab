"""What a backup's folder holds: `manifest.json`, and the files that it names.

A table's rows stand in files of JSON lines, compressed, each named by the hash of its lines. None
is ever written over: a backup that was interrupted leaves the previous one as it was.
"""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from actors.contracts.errors import SirenError
from actors.runtime.syncing import sync
from actors.settings import Service

FORMAT = 1
NAME = "manifest.json"
LOCK = "backup.lock"
ENDING = ".jsonl.gz"
SECRET_ENDING = ".secret"  # noqa: S105 - of a file's name
NEW = ".new"
"""What the name of a file ends in that is not whole yet."""
ZIP_LEVEL = 1
"""Of level 6 events take a third less, and four times as long."""

Key = tuple[str | int, ...]

_decoder = msgspec.json.Decoder(list[Any])


class Chunk(Struct, frozen=True):
    """A file of rows. `sha256` is of its lines, `size` of the file, `last` the last row's key."""

    file: str
    rows: int
    size: int
    sha256: str
    last: Key


class Table(Struct, frozen=True):
    """A table's rows, in the order of the chunks, each row a list of the columns' values."""

    columns: tuple[str, ...]
    chunks: tuple[Chunk, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(chunk.rows for chunk in self.chunks)


class Manifest(Struct, frozen=True):
    """A whole backup: the databases as they were at one moment.

    `installation` is a hash of the installation's secret, `position` the journal's last one.
    `token_secret` is the hash of the secret that signs tokens, None where the settings have it.
    `checksum` is of all else.
    """

    format: int
    siren: str
    taken_at: datetime
    installation: str
    journal_version: int
    position: int
    tables: dict[Service, dict[str, Table]]
    token_secret: str | None = None
    checksum: str = ""

    def files(self) -> set[str]:
        """Return the names of all files that belong to it."""
        secret = set() if self.token_secret is None else {secret_file(self.token_secret)}
        return {chunk.file for chunk in self.chunks()} | secret

    def chunks(self) -> Iterator[Chunk]:
        """Yield the chunks of all tables."""
        for tables in self.tables.values():
            for table in tables.values():
                yield from table.chunks

    @property
    def rows(self) -> int:
        """How many rows all tables have."""
        return sum(chunk.rows for chunk in self.chunks())


class _Format(Struct):
    format: int


def read(folder: Path) -> Manifest:
    """Return the manifest of a folder; raises `SirenError` where it is none, damaged, or newer."""
    path = folder / NAME
    try:
        text = path.read_bytes()
    except OSError as error:
        detail = f"{folder} holds no whole backup: cannot read {path} ({error.strerror})"
        raise SirenError("no_backup", detail) from error
    try:
        found = msgspec.json.decode(text, type=_Format).format
        if found > FORMAT:
            detail = f"{path} is of format {found}, this siren knows {FORMAT}: use the newer one"
            raise SirenError("backup_too_new", detail)
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise _damaged(path, str(error)) from error
    if manifest.checksum != _checksum(manifest):
        raise _damaged(path, "its checksum is another one")
    return manifest


def write(folder: Path, manifest: Manifest) -> None:
    """Put a manifest in the place of the folder's, on disk when this returns; raises `OSError`."""
    whole = replace(manifest, checksum=_checksum(manifest))
    sync(folder)  # the files that it names
    write_file(folder / f"{NAME}{NEW}", msgspec.json.format(msgspec.json.encode(whole)))
    (folder / f"{NAME}{NEW}").rename(folder / NAME)
    sync(folder)


def write_file(path: Path, content: bytes) -> None:
    """Write a file that only this user may read, on disk when this returns; raises `OSError`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def zipped(lines: bytes) -> bytes:
    """Return what stands in a chunk's file: the same for the same lines."""
    return gzip.compress(lines, ZIP_LEVEL, mtime=0)


def lines_of(folder: Path, chunk: Chunk) -> bytes:
    """Return a chunk's lines; raises `SirenError` where they are not what was written."""
    path = folder / chunk.file
    try:
        lines = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, str(error)) from error
    if hash_of(lines) != chunk.sha256:
        raise _damaged(path, "its checksum is another one")
    return lines


def rows_of(folder: Path, chunk: Chunk) -> list[list[Any]]:
    """Return a chunk's rows; raises `SirenError` as above."""
    return _decoder.decode_lines(lines_of(folder, chunk))


def secret_of(folder: Path, manifest: Manifest) -> bytes | None:
    """Return the secret that signs tokens, None where none was kept; raises `SirenError`."""
    if manifest.token_secret is None:
        return None
    path = folder / secret_file(manifest.token_secret)
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise _damaged(path, str(error.strerror)) from error
    if hash_of(secret) != manifest.token_secret:
        raise _damaged(path, "its checksum is another one")
    return secret


def secret_file(digest: str) -> str:
    """Return the name of the file that holds a secret, by its hash."""
    return f"token-{digest[:16]}{SECRET_ENDING}"


def hash_of(content: bytes) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def _checksum(manifest: Manifest) -> str:
    return hash_of(msgspec.json.encode(replace(manifest, checksum="")))


def _damaged(path: Path, words: str) -> SirenError:
    detail = f"{path} IS DAMAGED ({words}): use another backup"
    return SirenError("backup_damaged", detail)
