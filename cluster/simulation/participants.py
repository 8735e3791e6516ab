"""The processes of a system: production's services, each as it begins in an actor of its own."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from actors.client import AsyncSiren
from actors.installation import Installation
from actors.order.actor import OrderActor
from actors.order.host import OrderHost
from actors.order.journal import Journal
from actors.order.steps import Steps
from actors.order.virtual_order import VirtualOrder
from actors.payment.ledger import PaymentLedger
from actors.payment.service import PaymentService
from actors.peers import Peers
from actors.runtime.rpc_client import RpcClient
from actors.settings import Settings
from actors.store.service import StoreService
from cluster.simulation.network import Channel, Nudges
from readmodel.progress import Progress
from readmodel.projector import ProjectionActor

if TYPE_CHECKING:
    from cluster.simulation.world import World

SYSTEMS = ("A", "B")
ORDERS, PAYMENT, STORE, PROJECTOR = "order host", "payment", "store", "projector"
SERVICES = (ORDERS, PAYMENT, STORE, PROJECTOR)
SECOND_PROJECTOR = "second projector"
FORGET_S, FORGETS = 0.02, 150
"""A forgetful host lets go of its orders so often, in the seconds when people ask for them."""


def role_of(service: str, system: str) -> str:
    """Return what a process is called."""
    return f"{service} {system}"


class WatchedHost(OrderHost):
    """Production's host of orders. Where it has an order twice in its memory, that is noted."""

    def __init__(self, world: "World", *given: Any) -> None:
        super().__init__(*given)
        self.world = world
        self._last: dict[str, VirtualOrder] = {}

    def _activate(self, order_id: str) -> VirtualOrder:
        order = super()._activate(order_id)
        former = self._last.setdefault(order_id, order)
        if former is not order:
            self._last[order_id] = order
            if _is_needed(former):
                named = self.world.named(order_id)
                detail = f"{named} begins again beside itself, which others work on or wait for"
                self.world.record.violated("an order is twice in memory", detail)
        return order


def _is_needed(order: VirtualOrder) -> bool:
    """Whether anybody is in an order, or waits for it, or works for it; `busy` may be wrong."""
    mailbox = order.mailbox
    in_mailbox = mailbox.locked() or bool(mailbox._waiters)  # noqa: SLF001
    return in_mailbox or bool(order._running or order._waiters)  # noqa: SLF001


class HostProcess(OrderActor):
    """Production's order host, without the Ray actor around it."""

    def __init__(self, installation: Installation, journal: Journal, orders: WatchedHost) -> None:
        self.installation = installation
        self._journal = journal
        self._orders: WatchedHost = orders
        self._dedicated = None
        self._host = 0
        self._order_id = None
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self.handle = orders.handle

    def start(self) -> None:
        """Begin what goes on for as long as it lives."""
        self._tasks = {
            "recovery": asyncio.create_task(self._recover()),
            "passivation": asyncio.create_task(self._sweep()),
        }
        if self._orders.world.forgetful:
            self._tasks["forgetting"] = asyncio.create_task(self._forget())

    async def _forget(self) -> None:
        self._orders.passivate_after_s = 0.0
        for _ in range(FORGETS):
            await asyncio.sleep(FORGET_S)
            self._orders.passivate_idle()


class ProjectorProcess(ProjectionActor):
    """Production's projector, without the Ray actor around it."""

    def __init__(self, journal: Journal, url: str) -> None:
        self._journal = journal
        self._url = url
        self._path = None
        self._open_view()
        self._error: str | None = None
        self._rebuild_again_at = self._again_at = 0.0
        self._rebuild = Progress()
        self._rebuilding: asyncio.Task[None] | None = None
        self._warning: str | None = None
        self._turns = 0

    def start(self) -> None:
        """Begin to follow the journal."""
        self._nudged, self._turn = asyncio.Event(), asyncio.Lock()
        self._again_at = asyncio.get_running_loop().time() + 1e9
        self._audit = asyncio.create_task(asyncio.sleep(0))
        self._loop = asyncio.create_task(self._keep_up())


class Serving:
    """A service that only answers requests."""

    def __init__(self, service: Any) -> None:
        self.handle = service.handle
        self.service = service

    def start(self) -> None:
        """Do nothing: it waits to be asked."""


def settings_of_simulation() -> Settings:
    """Return the settings, whatever the environment says."""
    return Settings.model_construct(
        **{
            **{name: field.get_default() for name, field in Settings.model_fields.items()},
            "data_dir": Path("/simulated"),
            "passivate_after_s": 4.0,
            "payment_deadline_s": 20.0,
            "provider_timeout_s": 4.0,
            "breaker_reset_s": 2.0,
        }
    )


def maker_of(world: "World", role: str) -> Callable[[], Any]:
    """Return what builds the service of a role."""
    service, _, system = role.rpartition(" ")
    return partial(_MAKERS[service], world, system)


def _make_orders(world: "World", system: str) -> HostProcess:
    settings = world.installation.settings
    journal = Journal(settings.url("journal"))
    steps = Steps(_channel(world, PAYMENT, system), _channel(world, STORE, system))
    nudges = Nudges(world, role_of(PROJECTOR, system))
    world.nudges.append(nudges)
    orders = WatchedHost(world, journal, steps, nudges, settings.passivate_after_s)
    return HostProcess(world.installation, journal, orders)


def _make_payment(world: "World", _system: str) -> Serving:
    settings = world.installation.settings
    ledger = PaymentLedger(settings.url("payments"))
    service = PaymentService(
        ledger,
        world.provider,
        timeout_s=settings.provider_timeout_s,
        breaker_threshold=settings.breaker_threshold,
        breaker_reset_s=settings.breaker_reset_s,
        clock=world.monotonic,
    )
    return Serving(service)


def _make_store(world: "World", _system: str) -> Serving:
    return Serving(StoreService(world.installation.settings.url("stores")))


def _make_projector(world: "World", _system: str) -> ProjectorProcess:
    settings = world.installation.settings
    return ProjectorProcess(Journal(settings.url("journal")), settings.url("readmodel"))


_MAKERS: dict[str, Callable[["World", str], Any]] = {
    ORDERS: _make_orders,
    PAYMENT: _make_payment,
    STORE: _make_store,
    PROJECTOR: _make_projector,
    SECOND_PROJECTOR: _make_projector,
}


def make_client(world: "World", route: Callable[[str], str]) -> AsyncSiren:
    """Return the way in, as gateways have it; `route` tells which system is asked."""
    siren = AsyncSiren(world.installation, Peers(_nobody, _nobody, _nobody, _nobody))
    siren._order_hosts = [cast(RpcClient, Channel(world, partial(route, ORDERS)))]  # noqa: SLF001
    siren._store = cast(RpcClient, Channel(world, partial(route, STORE)))  # noqa: SLF001
    return siren


def _channel(world: "World", service: str, system: str) -> RpcClient:
    return cast(RpcClient, Channel(world, partial(role_of, service, system)))


def _nobody(*_asked: Any) -> None:
    """Stand where production reaches an actor of Ray's: nobody is reached that way here."""
