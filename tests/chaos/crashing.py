"""The real actors, with a fuse: each can be made to kill -9 itself at any point of the saga.

Only what is around the points is added here; what happens between them is the product's own code.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import ray
from ray.exceptions import RayError

from actors.installation import Installation
from actors.order.actor import OrderActor
from actors.order.ids import key_of
from actors.payment.actor import PaymentActor
from actors.peers import Peers
from actors.runtime.ray_actors import NAMESPACE, get_or_create
from actors.store.actor import StoreActor
from cluster.peers import PEERS
from tests.support.system import System, eventually

ANSWER_S = 10.0
Point = Callable[..., tuple[str, str]]
"""Returns the name of a point and the order that is there, from the arguments of a call."""


class Fuse:
    """Files that name where, and with which order, a process has to die. Each burns once."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self._folder = Path(installation.settings.data_dir) / "fuses"
        self._folder.mkdir(exist_ok=True)

    def light(self, points: str, order_id: str) -> None:
        """Let the next process that gets to a point with this order die there.

        More than one point are separated by commas, and burn one after the other.
        """
        draft = self._folder / f"{key_of(order_id)}.new"
        draft.write_text(points)
        draft.rename(self._of(order_id))

    def burnt(self, order_id: str) -> bool:
        """Whether a process died with this order, at each of its points.

        Or between what it should die after and that point: another order's fuse may be faster.
        What was done there need not be done again, so the point is reached never more.
        """
        if not self._of(order_id).exists():
            return True
        begun = self._begun(order_id)
        return begun.exists() and not psutil.pid_exists(int(begun.read_text()))

    def _of(self, order_id: str) -> Path:
        # By its key: a repeated request comes with an id of its own.
        return self._folder / key_of(order_id)

    def reach(self, point: str, order_id: str) -> None:
        """Die here, if that is the plan."""
        with suppress(FileNotFoundError):
            first, _, others = self._of(order_id).read_text().partition(",")
            if first == point:
                if others:
                    self.light(others, order_id)
                else:
                    self._of(order_id).unlink()
                os.kill(os.getpid(), signal.SIGKILL)

    def begin(self, name: str, order_id: str) -> None:
        """Note which process is about to do what it should die after."""
        with suppress(FileNotFoundError):
            if self._of(order_id).read_text().partition(",")[0] == f"after {name}":
                self._begun(order_id).write_text(str(os.getpid()))

    def _begun(self, order_id: str) -> Path:
        return self._folder / f"{key_of(order_id)}.begun"

    def lay(self, owner: Any, method: str, point: Point) -> None:
        """Lead the fuse past both ends of a method."""
        carry_out = getattr(owner, method)

        async def passing(*args: Any) -> Any:
            name, order_id = point(*args)
            self.reach(f"before {name}", order_id)
            self.begin(name, order_id)
            answer = await carry_out(*args)
            self.reach(f"after {name}", order_id)
            return answer

        setattr(owner, method, passing)


class CrashingOrderActor(OrderActor):
    """Dies around the appends to the journal, and around the steps of the saga."""

    def __init__(self, installation: Installation, peers: Peers, host: int) -> None:
        super().__init__(installation, peers, host)
        fuse = Fuse(installation)
        fuse.lay(self._journal, "append", _append)
        fuse.lay(self._orders._around.steps, "perform", _step)

    async def describe(self) -> dict[str, Any]:
        """Tell it from the ordinary one."""
        return {"fragile": True, **await super().describe()}


class CrashingPaymentActor(PaymentActor):
    """Dies around what it asks of the provider, and around its own commits."""

    async def __init__(self, installation: Installation) -> None:  # type: ignore[misc]
        await super().__init__(installation)
        fuse = Fuse(installation)
        for method in ("authorize", "cancel"):
            fuse.lay(self._service._provider, method, _provider(method))
        fuse.lay(self._service._ledger, "apply", _commit)

    async def describe(self) -> dict[str, Any]:
        """Tell it from the ordinary one."""
        return {"fragile": True, **await super().describe()}


class CrashingStoreActor(StoreActor):
    """Dies around what it is asked."""

    async def __init__(self, installation: Installation) -> None:  # type: ignore[misc]
        await super().__init__(installation)
        Fuse(installation).lay(self._server, "_handle", _message)

    async def describe(self) -> dict[str, Any]:
        """Tell it from the ordinary one."""
        return {"fragile": True, **await super().describe()}


def _append(append: Any) -> tuple[str, str]:
    first = type(append.events[0].event).__name__ if append.events else "acknowledgement"
    return f"append {first}", append.order_id


def _step(step: Any, order: Any, _private: Any) -> tuple[str, str]:
    return f"step {type(step).__name__}", order.order_id


def _provider(method: str) -> Point:
    return lambda key, *_: (f"provider {method}", key.partition(":")[0])


def _commit(order_id: str, change: Any, *_believed: Any) -> tuple[str, str]:
    # The ledger's changes are anonymous; what tells them apart is the method that they call.
    return f"ledger {change.__code__.co_names[0]}", order_id


def _message(message: Any) -> tuple[str, str]:
    return f"store {type(message).__name__}", getattr(message, "order_id", "none")


_CRASHING_ORDER_ACTOR = ray.remote(CrashingOrderActor)
_CRASHING_PAYMENT_ACTOR = ray.remote(CrashingPaymentActor)
_CRASHING_STORE_ACTOR = ray.remote(CrashingStoreActor)


@contextmanager
def fragile(system: System) -> Iterator[Fuse]:
    """Put the crashing actors in the place of the ordinary ones of a running system."""
    with system.ray():
        ordinary: Any = ray.get_actor("order-host:0", NAMESPACE)
        described: dict[str, Any] = ray.get(ordinary.describe.remote())
        it: Installation = described["installation"]
        crashing = {
            "order-host:0": partial(
                get_or_create, _CRASHING_ORDER_ACTOR, "order-host:0", it, PEERS, 0
            ),
            "payment": partial(get_or_create, _CRASHING_PAYMENT_ACTOR, "payment", it),
            "store": partial(get_or_create, _CRASHING_STORE_ACTOR, "store", it),
        }
        ordinary = {
            "order-host:0": lambda: PEERS.order_host(it, PEERS, 0),
            "payment": lambda: PEERS.payment(it),
            "store": lambda: PEERS.store(it),
        }
        for name, create in crashing.items():
            _replace(name, create, fragile=True)
        try:
            yield Fuse(it)
        finally:
            for name, create in ordinary.items():
                _replace(name, create, fragile=False)


def _replace(name: str, create: Callable[[], Any], *, fragile: bool) -> None:
    """Kill the actor of this name for good, and have another kind of it created."""

    def replaced() -> object:
        try:
            actor = create()
            described = ray.get(actor.describe.remote(), timeout=ANSWER_S)
            if described.get("fragile", False) == fragile:
                return True
            ray.kill(actor, no_restart=True)
        except (RayError, ValueError) as error:
            return error
        return None

    eventually(replaced, f"another {name}")
