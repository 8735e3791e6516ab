"""Connections that are lost: of clients, of HAProxy to replicas, between actors, to PostgreSQL.

A socket of another process is duplicated (`pidfd_getfd`) and shut down, so both its ends see it
end, while neither process is touched otherwise. That takes the right to trace the other process:
root has it, and so has its user where Linux's `ptrace_scope` is 0.
"""

import asyncio
import ctypes
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from sqlalchemy import make_url

from actors.settings import SERVICES, Settings
from cluster.chaos.fault import Begun, Do, Fault
from cluster.running.process_kinds import GATEWAY, KINDS, of_kind

PIDFD_GETFD = 438
ACTORS = ("order host", "payment", "store", "projection")
POSTGRES_PORT = 5432


class End(NamedTuple):
    """One end of an open connection: the process and its descriptor, both addresses."""

    pid: int
    descriptor: int
    here: tuple[str, int]
    there: tuple[str, int]


Pick = Callable[[], list[End]]


def faults(settings: Settings, port: int) -> Iterator[Fault]:
    """Return the connections that can be cut; `port` is where clients come in."""
    folder = settings.data_dir.absolute()
    cut = {
        "clients": lambda: [e for e in _ends(folder, "HAProxy") if e.here[1] == port],
        "gateway": lambda: _between(folder, ("HAProxy",), (GATEWAY,)),
        "actors": lambda: _between(folder, (*ACTORS, GATEWAY), ACTORS),
    }
    servers = _servers(settings)
    if servers:
        cut["databases"] = lambda: [
            end for end in _ends(folder, *ACTORS, GATEWAY) if end.there in servers
        ]
    for name, pick in cut.items():
        yield Fault(f"cut-{name}", "lost connections", name, _cut(pick))


def lacking(folder: Path) -> str | None:
    """Return why connections of the system's processes cannot be cut here; None where they can."""
    for end in _ends(folder, "HAProxy", *ACTORS):
        try:
            os.close(_duplicate(end))
        except OSError as error:
            return (
                f"connections of other processes cannot be cut here ({error.strerror}): "
                "that takes root, or kernel.yama.ptrace_scope=0"
            )
        return None
    return "no connection of the system was found"


def _cut(pick: Pick) -> Do:
    async def cut(_seconds: float, begun: Begun) -> None:
        number = await asyncio.to_thread(lambda: sum(map(shut_down, pick())))
        if number:
            begun(f"{number} connections")

    return cut


def shut_down(end: End) -> bool:
    """Cut a connection, for both its ends; return whether it was still there."""
    with suppress(OSError), socket.socket(fileno=_duplicate(end)) as connection:
        if connection.getpeername()[:2] != end.there:
            return False  # it has ended, and its number is another one's
        connection.shutdown(socket.SHUT_RDWR)
        return True
    return False


def _duplicate(end: End) -> int:
    """Return a descriptor of this process for a connection of another; raises `OSError`."""
    process = os.pidfd_open(end.pid)
    try:
        found = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, process, end.descriptor, 0)
    finally:
        os.close(process)
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(found)


def _between(folder: Path, ones: Iterable[str], others: Iterable[str]) -> list[End]:
    listening = {
        each.laddr.port
        for _, each in _connections(folder, others)
        if each.status == psutil.CONN_LISTEN
    }
    return [end for end in _ends(folder, *ones) if end.there[1] in listening]


def _ends(folder: Path, *names: str) -> list[End]:
    return [
        End(pid, each.fd, tuple(each.laddr), tuple(each.raddr))
        for pid, each in _connections(folder, names)
        if each.status == psutil.CONN_ESTABLISHED
    ]


def _connections(folder: Path, names: Iterable[str]) -> Iterator[tuple[int, Any]]:
    for kind in KINDS:
        if kind.name in names:
            for process in of_kind(folder, kind):
                with suppress(psutil.Error):
                    yield from ((process.pid, each) for each in process.net_connections("tcp"))


def _servers(settings: Settings) -> set[tuple[str, int]]:
    """Return the addresses of the PostgreSQL servers, as far as they are on TCP."""
    found: set[tuple[str, int]] = set()
    for service in SERVICES:
        url = make_url(settings.url(service))
        if url.get_backend_name() != "sqlite" and url.host:
            with suppress(OSError):
                port = url.port or POSTGRES_PORT
                infos = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
                found |= {(str(info[4][0]), int(info[4][1])) for info in infos}
    return found
