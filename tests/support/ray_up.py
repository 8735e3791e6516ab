"""`ray up` with the project's own YAML for machines one has, on hosts that share a file system.

What differs: addresses and key; nothing is installed, since the hosts see this project's `.venv`;
and Ray takes little of a machine that is many hosts.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.support.deployment_files import CLUSTER, load

VENV = Path(sys.executable).parents[1]
START = "siren node ray start "
SMALL = "--num-cpus 2 --object-store-memory 100000000 "
"""Of a host that shares one machine with others."""
HERE = ("~/.siren/siren.env", "~/.ray/auth_token")
"""What is still copied to the hosts; all else serves the installation."""
SHELLS = "# Shells on the machine"
"""Where `cluster/install.sh` has installed all, and goes on with what shells need."""
UP_S = 400.0


class RayUp:
    """An operator's home in `folder`, from which one cluster is brought up, changed, taken down."""

    def __init__(self, folder: Path, key: Path) -> None:
        self.home = folder
        self.redis: str | None = None
        """Where Ray keeps what the head knows, host:port; None: on the head's disk."""
        self._key = key
        self._file = folder / "local.yaml"

    def furnish(self, token: str, settings: str) -> None:
        """Give the operator Ray's token and the system's settings."""
        for name, text in zip(HERE, (settings, token), strict=True):
            path = self.home / name.removeprefix("~/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(text)

    def up(self, head: str, workers: list[str], *options: str) -> None:
        """Run `ray up` for these addresses; workers go on starting when it returns."""
        config = adapted(head, workers, self._key)
        if self.redis is not None:
            start = config["head_start_ray_commands"]
            start[-1] = re.sub('RAY_gcs_.*node/gcs"', f"RAY_REDIS_ADDRESS={self.redis}", start[-1])
        self._file.write_text(yaml.safe_dump(config))
        self.ray("up", "-y", *options, str(self._file))

    def ray(self, *words: str) -> str:
        """Run one of Ray's commands as the operator, and return what it said."""
        environment = os.environ | {"HOME": str(self.home), "RAY_AUTH_MODE": "token"}
        command = [str(VENV / "bin" / "ray"), *words]
        ended = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=UP_S,
            check=False,
        )
        said = ended.stdout + ended.stderr
        assert ended.returncode == 0, f"ray {' '.join(words)}\n{said[-6000:]}"
        return said


def adapted(head: str, workers: list[str], key: Path) -> dict[str, Any]:
    """Return `cluster/local.yaml` for these hosts."""
    config: dict[str, Any] = load(CLUSTER / "local.yaml")
    config["provider"] |= {"head_ip": head, "worker_ips": workers}
    config["auth"] = {"ssh_user": "root", "ssh_private_key": str(key)}
    config["file_mounts"] = {name: config["file_mounts"][name] for name in HERE}
    script = (CLUSTER / "install.sh").read_text().partition(SHELLS)[2]
    shells = f"set -eu; umask 077; cd ~/.siren; #{script}"
    config["setup_commands"] = [f"ln -sfn {VENV} ~/.siren/venv", f"sh -c {shlex.quote(shells)}"]
    for node in ("head", "worker"):
        commands = config[f"{node}_start_ray_commands"]
        commands[-1] = commands[-1].replace(START, START + SMALL)
    return config
