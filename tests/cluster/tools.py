"""What hosts are made of; run as a module, installs Debian's packages of what is missing.

Only as root, who alone can make hosts; else nothing happens, and the tests say what is missing.
"""

import os
import shutil
import subprocess

PACKAGES = {
    "bridge": "iproute2",
    "ip": "iproute2",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "redis-server": "redis-server",
    "rsync": "rsync",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "sshd": "openssh-server",
    "unshare": "util-linux",
}
"""Commands, and where Debian has them."""
PLACES = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


def missing() -> list[str]:
    """Return the commands that are not there."""
    return [name for name in PACKAGES if shutil.which(name, path=PLACES) is None]


def lacking() -> str | None:
    """Return what keeps hosts from being made here; None where nothing does."""
    if os.geteuid() != 0:
        return "tests/cluster makes hosts on this machine: that needs root"
    return f"tests/cluster needs {', '.join(names)}" if (names := missing()) else None


def install() -> None:
    """Install what is missing where there is apt-get."""
    packages = sorted({PACKAGES[name] for name in missing()})
    if not packages or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", "-qq", *arguments], env=quiet, check=False)


if __name__ == "__main__":
    install()
