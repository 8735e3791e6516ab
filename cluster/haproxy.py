"""The HAProxy of one system: its files, its ports, and its end. Imports neither Ray nor Serve.

HAProxy is not a Ray process: it outlives a crash of everything else, and holds the port.
"""

import os
import secrets
import shutil
import tempfile
from pathlib import Path

import psutil

from cluster.environment import port_is_free

PORTS = {
    "RAY_SERVE_HAPROXY_METRICS_PORT": 9101,
    "RAY_SERVE_HAPROXY_STATS_PORT": 8404,
}
BLOCK = 100
BLOCKS = range(20_000, 30_000, BLOCK)
"""Of ports below those that the kernel gives away: nobody else gets one between now and its use."""
END_S = 5.0


def claim() -> Path:
    """Give HAProxy and the replicas a folder and ports of their own, so two systems do not meet.

    Call it before anything imports Ray Serve. Returns the folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="siren-haproxy-"))
    files = {
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": folder / "haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": folder / "admin.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": folder,
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": folder / "server-state",
    }
    os.environ.update({name: str(path) for name, path in files.items()})
    first = secrets.choice([first for first in BLOCKS if port_is_free("", first)])
    block = (port for port in range(first, first + BLOCK) if port_is_free("", port))
    for name, port in PORTS.items():
        os.environ.setdefault(name, str(port if port_is_free("", port) else next(block)))
    # All systems would share Serve's default ports, and so one's HAProxy would hand orders to the
    # proxy or to a replica of another.
    os.environ.setdefault("RAY_SERVE_FALLBACK_PROXY_HTTP_PORT", str(next(block)))
    os.environ.setdefault("RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT", str(next(block)))
    os.environ.setdefault("RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT", str(first + BLOCK - 1))
    return folder


def end(folder: Path) -> None:
    """End every HAProxy that runs on this folder, and remove the folder."""
    if not folder.name.startswith("siren-haproxy-"):
        return  # it comes from a file: believe it only so far
    running = [process for process in psutil.process_iter() if _runs_on(process, folder)]
    for process in running:
        process.kill()
    psutil.wait_procs(running, timeout=END_S)
    shutil.rmtree(folder, ignore_errors=True)


def _runs_on(process: psutil.Process, folder: Path) -> bool:
    try:
        command = process.cmdline()
    except psutil.Error:
        return False
    is_haproxy = bool(command) and Path(command[0]).name == "haproxy"
    return is_haproxy and any(word.startswith(f"{folder}/") for word in command)
