"""The kinds of process that a running system is made of, Ray's own servers aside."""

from pathlib import Path
from typing import NamedTuple

import psutil

from actors.runtime.lock_file import is_held, read_holder
from cluster.running.haproxy_watch import haproxies
from cluster.running.processes import lives, title_of

HAPROXY = "haproxy"
GATEWAY = "gateway replica"


class Kind(NamedTuple):
    """A kind of process: what it is called in words, by its title, and by Ray."""

    name: str
    title: str
    actor: str | None = None


KINDS = (
    Kind("order host", "ray::OrderActor", "order-host:0"),
    Kind("payment", "ray::PaymentActor", "payment"),
    Kind("store", "ray::StoreActor", "store"),
    Kind("projection", "ray::ProjectionActor", "projection"),
    Kind(GATEWAY, "ray::ServeReplica:siren:gateway", "SERVE_REPLICA::siren#gateway"),
    Kind("HAProxy", HAPROXY),
    Kind("HAProxy's manager", "ray::HAProxyManager"),
    Kind("Serve's controller", "ray::ServeController", "SERVE_CONTROLLER_ACTOR"),
)


def family_on(folder: Path) -> list[psutil.Process]:
    """Return the processes of the system that runs on a data folder, `siren up` first.

    Only what that process has started, itself or through others, counts; none where nothing runs.
    """
    pid = read_holder(folder).get("pid") if is_held(folder) else None
    if not isinstance(pid, int):
        return []
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return []


def of_kind(folder: Path, kind: Kind) -> list[psutil.Process]:
    """Return the living processes of a kind of the system that runs on a data folder."""
    if kind.title == HAPROXY:
        run = read_holder(folder).get("run") if is_held(folder) else None
        found = haproxies(Path(run)) if isinstance(run, str) else []
    else:
        found = [each for each in family_on(folder) if title_of(each).startswith(kind.title)]
    return [process for process in found if lives(process)]
