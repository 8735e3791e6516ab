"""Which cluster a command means, and joining it."""

import os
import socket

from ray._private import services
from ray.exceptions import RayError

from actors.contracts.errors import SirenError, Unavailable
from actors.runtime.lock_file import RAY_ADDRESS
from actors.runtime.ray_actors import join
from actors.settings import is_loopback

KNOCK_S = 5.0


def cluster_address(given: str | None = None) -> str:
    """Return the address of a cluster, host:port: the one given, RAY_ADDRESS, or this node's.

    Raises `Unavailable` where this machine is no node of any cluster, or of several.
    """
    named = given or os.environ.get(RAY_ADDRESS) or "auto"
    if named != "auto":
        return named
    found: set[str] = {
        address
        for address in services.find_gcs_addresses()  # type: ignore[no-untyped-call]
        if not is_loopback(address.rpartition(":")[0])  # that is one machine's, of `siren up`
    }
    if len(found) != 1:
        what = "no Ray runs" if not found else f"{len(found)} clusters of Ray run"
        detail = f"{what} on this machine: say --address, or set {RAY_ADDRESS}, to host:port"
        raise Unavailable("no_cluster", detail)
    return found.pop()


def join_cluster(given: str | None = None) -> None:
    """Join a cluster, as `cluster_address` finds it; raises `SirenError` where that fails."""
    address = cluster_address(given)
    try:
        _knock(address)
        join(address)
    except (OSError, RayError, RuntimeError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise SirenError("no_cluster", f"cannot join the Ray at {address}: {first}") from error


def _knock(address: str) -> None:
    """Raise `OSError` or `ValueError` where nobody listens: Ray would wait for minutes."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), KNOCK_S).close()
