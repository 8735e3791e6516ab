"""A node of a cluster before Ray runs on it: its folder, its HAProxy, its environment.

Serve reads all of it when it is imported, in every process of the node, so it has to be there
before `ray start`: `siren node ray start …` sees to that. Nothing in the folder matters to the
system but what the head knows of the cluster, which is worth a disk that outlives the machine.
Imports neither Ray nor Serve.
"""

import hashlib
import hmac
import os
from pathlib import Path

from actors.contracts.errors import SirenError
from cluster.running import haproxy
from cluster.running.environment import CLUSTER
from cluster.running.node_settings import node_folder, node_host
from cluster.running.reading_settings import NODE_DIR
from cluster.running.run_folder import LONGEST

MIN_TOKEN = 32
STATE_NAMES = ("RAY_gcs_storage", "RAY_gcs_storage_path")
"""Where the head keeps what it knows, unless Redis does."""
PURPOSE = b"siren edge"


def environment_of(folder: Path | None = None) -> dict[str, str]:
    """Make this machine ready to be a node, and return what Ray has to find in its environment.

    What the user has set stays. Raises `SirenError` where Ray has no token here: whoever reaches
    its ports could run anything.
    """
    folder = _made(folder or node_folder())
    places = haproxy.installed(folder, node_host(), edge_secret())
    known = CLUSTER | {"RAY_gcs_storage_path": str(folder / "gcs")}
    if os.environ.get("RAY_REDIS_ADDRESS"):
        for name in STATE_NAMES:
            known.pop(name)
            os.environ.pop(name, None)  # of a shell of the node's, say: Ray would prefer the disk
    return {n: v for n, v in known.items() if n not in os.environ} | places


def for_shells(variables: dict[str, str]) -> dict[str, str]:
    """Return what shells of the node need, too: where the head keeps its state is its own."""
    return {name: value for name, value in variables.items() if name not in STATE_NAMES}


def edge_secret() -> str:
    """Return the secret that HAProxy of any node adds to requests: it follows from Ray's token."""
    return hmac.new(read_ray_token(), PURPOSE, hashlib.sha256).hexdigest()


def read_ray_token() -> bytes:
    """Return the token by which Ray knows its own; only the owner of its file may read it then.

    Raises `SirenError` where there is none.
    """
    if token := os.environ.get("RAY_AUTH_TOKEN"):
        return token.strip().encode()
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    try:
        token = path.read_text().strip()
        if path.stat().st_uid == os.geteuid() and path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        detail = (
            f"cannot read Ray's token, {path}: {error.strerror}; make one with `ray get-auth-token "
            "--generate`, and put the same on every node"
        )
        raise SirenError("no_ray_token", detail) from error
    if len(token) < MIN_TOKEN:
        raise SirenError("ray_token_too_short", f"{path} must hold {MIN_TOKEN} characters or more")
    return token.encode()


def _made(folder: Path) -> Path:
    folder = folder.absolute()
    if len(os.fsencode(folder)) > LONGEST:
        detail = (
            f"{folder} is too long for a socket's path: set {NODE_DIR} to one of {LONGEST} bytes"
        )
        raise SirenError("node_folder_too_long", detail)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.geteuid():
            raise PermissionError(0, "it belongs to another user")
        folder.chmod(0o700)
    except OSError as error:
        detail = f"cannot use the node's folder {folder}: {error.strerror}"
        raise SirenError("no_node_folder", detail) from error
    return folder
