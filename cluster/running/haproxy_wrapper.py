"""What Ray Serve runs in the place of HAProxy: changes the configuration, and becomes HAProxy.

It has HAProxy's arguments behind the path of `edge.json`, and stays the same process, so that Serve
goes on knowing HAProxy by its number. Standard library only: it runs at each reload.
"""

import contextlib
import json
import os
import resource
import socket
import sys
from pathlib import Path

from cluster.running.haproxy_config import Edge, edited
from cluster.running.haproxy_sections import has_applications

ANSWER_S = 1.0
LAST_GOOD = "last-good.cfg"
MANY_FILES = 1_000_000


def main(settings: str, *arguments: str) -> None:
    """Change the configuration that `arguments` name, and run HAProxy with them."""
    os.umask(0o077)
    with contextlib.suppress(PermissionError):  # it is the first of its group already
        os.setsid()  # Ray ends the group of a manager that dies; customers are still served
    path = Path(arguments[arguments.index("-f") + 1])
    edge = Edge(**json.loads(Path(settings).read_text()))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = MANY_FILES if hard == resource.RLIM_INFINITY else hard
    config = edited(path.read_text(), edge, Path(settings).parent, files)
    replace(path, choose(config, path.with_name(LAST_GOOD)))
    takeover = () if "-sf" in arguments else take_over(path.with_name("admin.sock"))
    os.execv(edge.binary, [edge.binary, *arguments, *takeover])  # noqa: S606 - no shell is wanted


def choose(config: str, last_good: Path) -> str:
    """Return the configuration to run: the last one while this one knows no application.

    Serve's manager starts like that where it is started again; the replicas are still there.
    """
    if has_applications(config):
        replace(last_good, config)
    elif last_good.exists():
        return last_good.read_text()
    return config


def take_over(admin: Path) -> tuple[str, ...]:
    """Return the arguments that take the port over from a HAProxy whose manager is gone."""
    running = pid_of(admin)
    return () if running is None else ("-x", str(admin), "-sf", str(running))


def pid_of(admin: Path, timeout: float = ANSWER_S) -> int | None:
    """Return the process that answers on HAProxy's admin socket; None where nobody listens.

    Raises `TimeoutError` where somebody does, and says nothing.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(admin))
            connection.sendall(b"show info\n")
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        except TimeoutError:
            raise
        except OSError:
            return None
    for line in answer.splitlines():
        if line.startswith(b"Pid: "):
            return int(line[5:])
    return None


def replace(path: Path, text: str) -> None:
    """Write a file that nobody ever sees half written, and nobody else can read."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(path)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
