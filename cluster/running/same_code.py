"""Whether all nodes of a cluster have this node's code: some of them may be just being updated."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from actors.contracts.errors import SirenError
from actors.runtime.placement import NODE_LABEL, staying

ROOT = Path(__file__).parents[2]
PACKAGES = ("actors", "cluster", "readmodel", "serve_app")
KINDS = (".py", ".html", ".css", ".js", ".svg")
ASK_S = 30.0
LOOK_S = 3.0


def wait_until_same(report: Callable[[str], None], patience_s: float) -> None:
    """Wait for nodes that have other code than this one, up to `patience_s`.

    Raises `SirenError`, which names them, where they still have it then: what starts there would
    not understand the rest. Blocks on Ray.
    """
    told = list[str]()
    deadline = time.monotonic() + patience_s
    while others := _others():
        names = ", ".join(others)
        if time.monotonic() >= deadline:
            detail = f"{names} has other code than this node: update every node, then deploy"
            raise SirenError("other_code", detail)
        if others != told:
            report(f"waiting for the code of this node on {names}")
            told = others
        time.sleep(LOOK_S)


def code() -> str:
    """Return a hash of the system's code that is installed here."""
    found = hashlib.sha256()
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*")):
            if file.suffix in KINDS:
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                found.update(f"{file.relative_to(ROOT)} {content}\n".encode())
    return found.hexdigest()


def _others() -> list[str]:
    """Return the addresses of the nodes that stay and have other code, or do not tell."""
    wanted = code()
    nodes: list[dict[str, Any]] = staying()
    ask: Any = ray.remote(num_cpus=0, max_retries=0, max_calls=1)(code)
    asked = [ask.options(label_selector={NODE_LABEL: node["NodeID"]}).remote() for node in nodes]
    if asked:
        ray.wait(asked, num_returns=len(asked), timeout=ASK_S)
    answers = zip(nodes, asked, strict=True)
    return sorted(node["NodeManagerAddress"] for node, told in answers if not _is(told, wanted))


def _is(told: Any, wanted: str) -> bool:
    try:
        same: bool = ray.get(told, timeout=0) == wanted
    except RayError:
        ray.cancel(told)
        return False
    return same
