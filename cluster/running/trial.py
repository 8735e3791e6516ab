"""A new version proves itself before anything of the old one is replaced.

First in a process of its own, which imports it and builds the application (`preflight`); then in
one of Ray's on each node, where each kind of process starts, and does real work for some seconds. A
version that fails there has changed nothing.
"""

import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from actors.contracts.errors import SirenError
from actors.installation import Installation
from actors.runtime.placement import NODE_LABEL, staying

PREFLIGHT = "cluster.running.preflight"
PREFLIGHT_S = 60.0
BEGIN_S = 60.0
"""For a kind of process to start in, the import of everything included."""
LOOK_S = 15.0
SOAK_S, EVERY_S = 5.0, 1.0
"""How long a trial goes on, for what breaks only after some seconds."""
KINDS = ("order host", "payment", "store", "projection", "gateway")

Report = Callable[[str], None]


def failed_trial(cause: str) -> SirenError:
    """Return what is raised where the new version does not work."""
    return SirenError("failed_trial", f"the new version does not work: {cause}")


def preflight(installation: Installation, report: Report) -> None:
    """Import the version of this process in another, and build its application there.

    Raises `SirenError`.
    """
    report("trying the new version: its imports, and its application")
    # Not the folder one happens to be in, but what this interpreter has.
    command = [sys.executable, "-P", "-m", PREFLIGHT]
    try:
        done = subprocess.run(  # noqa: S603 - our own
            command,
            input=pickle.dumps(installation),
            capture_output=True,
            check=False,
            timeout=PREFLIGHT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise failed_trial(f"its imports take more than {PREFLIGHT_S:.0f} s") from error
    if done.returncode:
        raise failed_trial(last_line(done.stderr.decode(errors="replace")))


def try_out(
    installation: Installation, token_secret: bytes, system_secret: str, report: Report
) -> None:
    """Run each kind of process of this version on every node for a while; all of it is gone then.

    Raises `SirenError`, which names the kind and the cause. Blocks on Ray.
    """
    trials = [
        _Trial.options(  # type: ignore[attr-defined]
            runtime_env=installation.release.runtime_env(),
            label_selector={NODE_LABEL: node["NodeID"]},
        ).remote(installation, token_secret, system_secret)
        for node in staying()
    ]
    try:
        for kind in KINDS:
            report(f"trying the new version: {kind}")
            _ask(kind, [trial.begin.remote(kind) for trial in trials], BEGIN_S)
        until = time.monotonic() + SOAK_S
        while time.monotonic() < until:
            time.sleep(EVERY_S)
            for kind in KINDS:
                _ask(kind, [trial.look.remote(kind) for trial in trials], LOOK_S)
    finally:
        for trial in trials:
            ray.kill(trial)


def _ask(kind: str, asked: list[Any], within_s: float) -> None:
    try:
        ray.get(asked, timeout=within_s)
    except GetTimeoutError as error:
        raise failed_trial(f"its {kind} says nothing for {within_s:.0f} s") from error
    except RayTaskError as error:
        cause = f"{type(error.cause).__name__}: {error.cause}".partition("\n")[0]
        raise failed_trial(f"its {kind} fails: {cause}") from error
    except RayActorError as error:
        raise failed_trial("the process in which it was tried has died") from error


def last_line(text: str) -> str:
    """Return what a traceback says in the end."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing"


@ray.remote(num_cpus=0, max_restarts=0)
class _Trial:
    """All kinds of processes in one; Ray ends it together with whoever created it."""

    def __init__(self, installation: Installation, token_secret: bytes, system_secret: str) -> None:
        self._installation = installation
        self._secrets = token_secret, system_secret
        self._kinds: dict[str, Any] = {}

    async def begin(self, kind: str) -> None:
        """Start one kind, and let it work once."""
        self._kinds[kind] = found = self._new(kind)
        await found.begin(self._installation)
        await found.look()

    async def look(self, kind: str) -> None:
        """Let one kind work once more."""
        await self._kinds[kind].look()

    def _new(self, kind: str) -> Any:
        # Here: whoever deploys shall not fail on an import before it can say whose.
        from cluster.running import trial_kinds as kinds  # noqa: PLC0415

        if kind == "gateway":
            return kinds.GatewayKind(*self._secrets)
        return {
            "order host": kinds.OrderHostKind,
            "payment": kinds.PaymentKind,
            "store": kinds.StoreKind,
            "projection": kinds.ProjectionKind,
        }[kind]()
