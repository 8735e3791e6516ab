"""The HAProxy of one system: its files and its ports. Imports neither Ray nor Serve."""

import os
import secrets
from pathlib import Path

from cluster.environment import port_is_free

PORTS = {
    "RAY_SERVE_HAPROXY_METRICS_PORT": 9101,
    "RAY_SERVE_HAPROXY_STATS_PORT": 8404,
}
BLOCK = 100
BLOCKS = range(20_000, 30_000, BLOCK)
"""Of ports below those that the kernel gives away: nobody else gets one between now and its use."""


def claim(folder: Path) -> None:
    """Give HAProxy and the replicas this folder and ports of their own, so two systems do not meet.

    Call it before anything imports Ray Serve.
    """
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
