"""Notes all that SQLite hands to storage in this process, with the time of each call.

A VFS of its own stands before SQLite's: it calls the ordinary one and notes writes, truncations,
syncs, new files and deletions. Standard library only: it is loaded before anything else in the
processes of a real system (see `site/sitecustomize.py`).
"""

import ctypes as c
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from struct import Struct
from typing import Any

FOLDER, SYNCHRONOUS, CHECKPOINT = "POWER_FOLDER", "POWER_SYNCHRONOUS", "POWER_CHECKPOINT"
"""Environment: where logs go, and SQLite's settings in the place of production's."""
OPEN, WRITE, TRUNCATE, SYNC, SYNC_WITH_NAMES, SYNC_NAMES, DELETE = b"owtsSnd"
HEAD = Struct("<BxHiqqq")
"""Kind, lengths of name and content, offset, begin and end in ns: then name and content."""

_SYSTEM: Any = os
_METHODS = 19
_WRITE, _TRUNCATE, _SYNC = 3, 4, 5
"""Their places in `sqlite3_io_methods`, after the version."""
_OpenFn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_void_p, c.c_int, c.c_void_p)
_DeleteFn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_int)
_WriteFn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_int, c.c_int64)
_TruncateFn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int64)
_SyncFn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int)
_OpenDirectoryFn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p)
_SetCallFn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_char_p, c.c_void_p)
_GetCallFn = c.CFUNCTYPE(c.c_void_p, c.c_void_p, c.c_char_p)


class _Vfs(c.Structure):
    """`sqlite3_vfs`, version 3 (https://www.sqlite.org/c3ref/vfs.html)."""

    _fields_ = (
        ("version", c.c_int),
        ("file_size", c.c_int),
        ("longest_path", c.c_int),
        ("next", c.c_void_p),
        ("name", c.c_char_p),
        ("data", c.c_void_p),
        ("open", c.c_void_p),
        ("delete", c.c_void_p),
        ("others", c.c_void_p * 10),
        ("current_time_64", c.c_void_p),
        ("set_system_call", c.c_void_p),
        ("get_system_call", c.c_void_p),
        ("next_system_call", c.c_void_p),
    )


class _Methods(c.Structure):
    _fields_ = (("all", c.c_void_p * _METHODS),)


_RECORDERS: "list[Recorder]" = []
"""SQLite calls them for as long as this process lives."""


class Recorder:
    """Notes into a file of this process in `folder`, from its construction on.

    Raises `RuntimeError` where Python's sqlite3 does not use a shared library, whose VFS cannot be
    replaced then.
    """

    def __init__(self, folder: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._log = os.open(folder / f"{os.getpid()}.log", flags, 0o600)
        self._sqlite = _shared_sqlite()
        found = self._sqlite.sqlite3_vfs_find(None)
        self._address = found
        self._original = _Vfs.from_address(found)
        if self._original.version < 3:
            raise RuntimeError("this SQLite's VFS knows no system calls to look at")
        self._names: dict[int, bytes] = {}
        self._tables: dict[int, Any] = {}
        self._kept: list[Any] = []
        self._here = threading.local()
        self._registered = self._register()
        self._fsync = os.fsync
        _SYSTEM.fsync = self._synced_by_python
        self._noted = 0
        _RECORDERS.append(self)
        self._prove()

    def close(self) -> None:
        """Let SQLite's own VFS be the default again; files that are open are still recorded."""
        self._sqlite.sqlite3_vfs_register(self._address, 1)
        _SYSTEM.fsync = self._fsync

    def _synced_by_python(self, descriptor: Any) -> None:
        began = time.monotonic_ns()
        self._fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_dir():
            self._note(SYNC_NAMES, bytes(path / "names"), began)
        elif bytes(path) in self._names.values():
            self._note(SYNC, bytes(path), began)

    def _register(self) -> _Vfs:
        original = self._original
        ours = _Vfs.from_buffer_copy(original)
        ours.next, ours.name = None, b"recorder"
        ours.open = self._callback(_OpenFn, self._opening(_OpenFn(original.open)))
        ours.delete = self._callback(_DeleteFn, self._deleting(_DeleteFn(original.delete)))
        get = _GetCallFn(original.get_system_call)
        open_directory = _OpenDirectoryFn(get(self._address, b"openDirectory"))

        def directory_opened(name: int, descriptor: int) -> int:
            self._here.names_synced = True
            return int(open_directory(name, descriptor))

        _SetCallFn(original.set_system_call)(
            self._address, b"openDirectory", self._callback(_OpenDirectoryFn, directory_opened)
        )
        self._sqlite.sqlite3_vfs_register(c.byref(ours), 1)
        return ours

    def _callback(self, kind: Any, function: Callable[..., int]) -> int | None:
        callback = kind(function)
        self._kept.append(callback)
        return c.cast(callback, c.c_void_p).value

    def _opening(self, original: Any) -> Callable[..., int]:
        def opened(_vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
            path = b"" if name is None else c.string_at(name)
            began = time.monotonic_ns()
            is_new = bool(path) and not os.path.exists(path)  # noqa: PTH110 - bytes
            result = int(original(self._address, name, file, flags, out))
            if result == 0 and path:
                if is_new:
                    self._note(OPEN, path, began)
                self._names[file] = path
                methods = c.c_void_p.from_address(file)
                assert methods.value is not None
                methods.value = self._replaced(methods.value)
            return result

        return opened

    def _replaced(self, methods: int) -> int:
        """Return the address of a table of methods like this one, that notes what is written."""
        table = self._tables.get(methods)
        if table is None:
            table = _Methods.from_buffer_copy(_Methods.from_address(methods))
            for place, kind, wrap in (
                (_WRITE, _WriteFn, self._writing),
                (_TRUNCATE, _TruncateFn, self._truncating),
                (_SYNC, _SyncFn, self._syncing),
            ):
                table.all[place] = self._callback(kind, wrap(kind(table.all[place])))
            self._tables[methods] = table
        return c.addressof(table)

    def _writing(self, original: Any) -> Callable[..., int]:
        def wrote(file: int, content: int, length: int, offset: int) -> int:
            began = time.monotonic_ns()
            result = int(original(file, content, length, offset))
            # Also where it failed: part of it may have been written.
            self._note(WRITE, self._names[file], began, offset, c.string_at(content, length))
            return result

        return wrote

    def _truncating(self, original: Any) -> Callable[..., int]:
        def truncated(file: int, length: int) -> int:
            began = time.monotonic_ns()
            result = int(original(file, length))
            self._note(TRUNCATE, self._names[file], began, length)
            return result

        return truncated

    def _syncing(self, original: Any) -> Callable[..., int]:
        def synced(file: int, flags: int) -> int:
            self._here.names_synced = False
            began = time.monotonic_ns()
            result = int(original(file, flags))
            if result == 0:
                kind = SYNC_WITH_NAMES if self._here.names_synced else SYNC
                self._note(kind, self._names[file], began)
            return result

        return synced

    def _deleting(self, original: Any) -> Callable[..., int]:
        def deleted(_vfs: int, name: int, sync_names: int) -> int:
            began = time.monotonic_ns()
            result = int(original(self._address, name, sync_names))
            if result == 0:
                self._note(DELETE, c.string_at(name), began)
            return result

        return deleted

    def _note(
        self, kind: int, name: bytes, began: int, offset: int = 0, content: bytes = b""
    ) -> None:
        # Before SQLite goes on: what an answer relies on is in the log before the answer is given.
        head = HEAD.pack(kind, len(name), len(content), offset, began, time.monotonic_ns())
        os.write(self._log, head + name + content)
        self._noted += 1

    def _prove(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            database = sqlite3.connect(Path(folder) / "proof.db")
            database.execute("CREATE TABLE proof (x)")
            database.close()
        if not self._noted:
            raise RuntimeError("Python's sqlite3 does not use the SQLite that can be reached")


def _shared_sqlite() -> Any:
    import _sqlite3  # noqa: PLC0415 - so that what it uses is loaded

    mapped = Path("/proc/self/maps").read_text().split()
    libraries = dict.fromkeys(word for word in mapped if "libsqlite3" in word)
    for library in (*libraries, _sqlite3.__file__):
        try:
            sqlite = c.CDLL(library)
            sqlite.sqlite3_vfs_find.restype = c.c_void_p
            sqlite.sqlite3_vfs_find.argtypes = [c.c_char_p]
            sqlite.sqlite3_vfs_register.argtypes = [c.c_void_p, c.c_int]
        except (OSError, AttributeError):
            continue
        return sqlite
    raise RuntimeError(
        "power cuts cannot be recorded: this Python's sqlite3 module was built with SQLite inside; "
        "use a Python that has it as a shared library (libsqlite3.so), as distributions' have"
    )


def replace_settings(synchronous: str | None, checkpoint: str | None) -> Callable[[], None]:
    """Let new connections have other settings of SQLite than production asks for.

    `synchronous` in the place of FULL; `checkpoint`: pages in the log before they are copied.
    Returns what lets them have production's again.
    """

    class Cursor(sqlite3.Cursor):
        def execute(self, statement: str, *parameters: Any) -> Any:
            if synchronous and statement == "PRAGMA synchronous=FULL":
                statement = f"PRAGMA synchronous={synchronous}"
            if checkpoint and statement.startswith("PRAGMA wal_autocheckpoint="):
                statement = f"PRAGMA wal_autocheckpoint={checkpoint}"
            return super().execute(statement, *parameters)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

    driver: Any = sqlite3
    plain = driver.connect
    driver.connect = lambda *place, **options: plain(*place, **{"factory": Connection} | options)

    def put_back() -> None:
        driver.connect = plain

    return put_back


def record_from_environment() -> None:
    """Record this process, where its environment says so."""
    folder = os.environ.get(FOLDER)
    if folder is not None:
        Recorder(Path(folder))
        replace_settings(os.environ.get(SYNCHRONOUS), os.environ.get(CHECKPOINT))
