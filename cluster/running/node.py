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
from cluster.running.run_folder import LONGEST

FOLDER = "SIREN_NODE_DIR"
HOST = "0.0.0.0"  # noqa: S104 - the gateway of a cluster is for others, who have to sign in
MIN_TOKEN = 32
PURPOSE = b"siren edge"


def environment_of(folder: Path | None = None) -> dict[str, str]:
    """Make this machine ready to be a node, and return what Ray has to find in its environment.

    What the user has set stays. Raises `SirenError` where Ray has no token here: whoever reaches
    its ports could run anything.
    """
    folder = _made(folder or Path(os.environ.get(FOLDER) or Path.home() / ".siren" / "node"))
    host = os.environ.get("SIREN_HOST") or HOST
    places = haproxy.installed(folder, host, edge_secret())
    state = {"RAY_gcs_storage_path": str(folder / "gcs")}
    unset = {n: v for n, v in (CLUSTER | state).items() if n not in os.environ}
    if os.environ.get("RAY_REDIS_ADDRESS"):
        unset.pop("RAY_gcs_storage", None)
    return unset | places


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
        detail = f"{folder} is too long for a socket's path: set {FOLDER} to one of {LONGEST} bytes"
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
