"""What runs before a deploy, and how to have it again where the deploy fails."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from actors.contracts.errors import SirenError
from actors.installation import Installation
from actors.order.actor import DEDICATED_PREFIX
from actors.order.journal import ORDER_HOSTS, Journal
from actors.peers import ORDER_HOST
from actors.runtime.ray_actors import NAMESPACE, described, end, replace
from cluster.peers import PEERS
from cluster.running.bootstrap import Report, start_actors
from cluster.running.gateway_rollout import roll_back, running_gateway
from cluster.running.trial import last_line

ANSWER_S = 5.0
BEGIN_S = 60.0
"""For an actor to be there and to answer; then it counts as one that does not start."""
BACK_S = 120.0


def siren_actors() -> list[str]:
    """Return the names of the system's actors that live on this cluster."""
    found = ray.util.list_named_actors(all_namespaces=True)
    return [actor["name"] for actor in found if actor["namespace"] == NAMESPACE]


@dataclass(frozen=True)
class Former:
    """The actors' installation and Serve's gateway, as far as there are any, and actors' names."""

    installation: Installation | None
    gateway: bytes | None
    names: frozenset[str]

    @property
    def is_there(self) -> bool:
        """Whether anything of the system runs that a deploy could damage."""
        return bool(self.names) or self.gateway is not None

    def bring_back(self, report: Report) -> None:
        """Put it in the place of what a deploy has begun to replace it with.

        Its code is as it was where it lies in a folder of its own; else it is what lies there now.
        Raises `SirenError` where that fails: each part that can be brought back has been then.
        """
        faults = []
        for what, restore in (("gateway", self._bring_gateway), ("actors", self._bring_actors)):
            try:
                restore(report)
            except (RayError, RuntimeError, TimeoutError, SirenError) as error:
                faults.append(f"{what}: {str(error).strip().splitlines()[-1]}")
        if faults:
            raise SirenError("not_brought_back", "; ".join(faults))

    def _bring_gateway(self, report: Report) -> None:
        if self.gateway is not None and running_gateway() != self.gateway:
            report("bringing the former gateway back")
            roll_back(self.gateway, BACK_S)

    def _bring_actors(self, report: Report) -> None:
        if self.installation is None:
            return
        asyncio.run(_tell_hosts(self.installation))
        replace_actors(
            self.installation, lambda step: report(f"bringing back: {step}"), spare_same=True
        )


def find_former() -> Former:
    """Return what runs now. Blocks on Ray."""
    names = frozenset(siren_actors())
    return Former(_installation_of(names), running_gateway(), names)


def _installation_of(names: frozenset[str]) -> Installation | None:
    for name in sorted(names):
        try:
            facts = described(ray.get_actor(name, NAMESPACE), ANSWER_S)
        except (RayError, ValueError):  # it is not there, or says nothing: ask another
            continue
        found: Installation = facts["installation"]
        return found
    return None


async def _tell_hosts(installation: Installation) -> None:
    journal = Journal(installation.settings.url("journal"))
    try:
        if await journal.recall(ORDER_HOSTS) != str(installation.order_hosts):
            await journal.replace(ORDER_HOSTS, str(installation.order_hosts))
    finally:
        await journal.close()


def replace_actors(installation: Installation, report: Report, *, spare_same: bool = False) -> None:
    """Put this installation's actors in the place of those that run, one by one, each checked.

    Those of it that run already are left alone where they are to be spared. Raises `SirenError`
    where one does not start, or cannot do its work.
    """
    before = siren_actors()
    wanted = PEERS.creations(installation)
    if not before:
        report("starting the actors")
        start_actors(installation)
        return
    for name, create in wanted.items():
        if spare_same and name in before and _is_of(name, installation):
            continue
        report(f"replacing {name}")
        try:
            _check(name, replace(name, create, installation, BEGIN_S))
        except RayError as error:
            detail = f"the new {name} does not work: {last_line(str(error))}"
            raise SirenError("no_start", detail) from error
    for name in before:
        superfluous = name.startswith(ORDER_HOST) and name not in wanted
        if superfluous or name.startswith(DEDICATED_PREFIX):
            end(name)


def _is_of(name: str, installation: Installation) -> bool:
    try:
        facts = described(ray.get_actor(name, NAMESPACE), ANSWER_S)
    except (RayError, ValueError):
        return False
    return bool(facts.get("release", "") == installation.release.id)


def _check(name: str, actor: Any) -> None:
    """Let a new actor do some of its work: who is asked by others must listen, hosts must write."""
    asked = []
    if name != "projection":
        asked.append(actor.endpoint.remote())
    if name.startswith(ORDER_HOST):
        asked.append(actor.ready.remote())
    ray.get(asked, timeout=BEGIN_S)


def watch(installation: Installation, seconds: float, look: Any = None) -> None:
    """Look at a new version for some seconds; raises `SirenError` where a part of it dies."""
    first = {name: _pid(name) for name in PEERS.creations(installation)}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(1.0)
        if look is not None:
            look()
        for name, pid in first.items():
            if _pid(name) != pid:
                raise SirenError("died", f"{name} died some seconds after its start")


def _pid(name: str) -> int:
    try:
        pid: int = described(ray.get_actor(name, NAMESPACE), ANSWER_S)["pid"]
    except (GetTimeoutError, RayError, ValueError) as error:
        raise SirenError("no_answer", f"{name} does not answer") from error
    return pid
