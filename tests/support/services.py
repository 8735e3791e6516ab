"""The services in one process, without Ray and HTTP: real ones, on real databases."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace, TracebackType
from typing import Any, Self, cast
from uuid import uuid4

from actors.contracts.errors import Damaged, Unavailable
from actors.contracts.messages import Message, OrderReply, OrderRequest
from actors.contracts.values import PrivateData
from actors.order.command_codec import pack_command
from actors.order.dedicated import DedicatedOrders
from actors.order.domain import commands as cmd
from actors.order.host import OrderHost
from actors.order.journal import Journal
from actors.order.steps import Steps
from actors.payment.ledger import PaymentLedger
from actors.payment.provider import SimulatedProvider
from actors.payment.service import PaymentService
from actors.runtime.rpc_client import RpcClient
from actors.runtime.rpc_server import RpcServer
from actors.settings import SERVICES, Settings
from actors.store.service import StoreService
from readmodel.projection import Projection
from readmodel.tables import create_tables, open_database
from tests.support.orders import LINES

WAIT_S = 30.0
SECRET = b"secret".hex()
"""Of an installation that begins in a test."""

Handle = Callable[[Any], Awaitable[Any]]

_EMPTY: list[TemporaryDirectory[str]] = []
"""Databases without orders; made when the first are needed, and gone with this process."""


class Direct:
    """Stands in for a `RpcClient`: asks a service of this process."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def ask(self, request: object, timeout: float) -> Any:
        try:
            # Not `wait_for`: until Python 3.12 it may swallow that it was cancelled.
            async with asyncio.timeout(timeout):
                return await self._handle(request)
        except TimeoutError as error:
            raise Unavailable("no_reply", "The service did not answer in time.") from error


def direct(handle: Handle) -> RpcClient:
    """Reach a service by a plain call."""
    return cast(RpcClient, Direct(handle))


def over_a_socket(handle: Handle) -> RpcClient:
    """Reach a service as its peers in other processes do."""
    actor = LocalActor(handle)
    return RpcClient(lambda: actor)


class LocalActor:
    """What a channel sees of an actor."""

    def __init__(self, handle: Callable[[Any], Awaitable[Message]]) -> None:
        self.endpoint = SimpleNamespace(remote=RpcServer(handle, "127.0.0.1").endpoint)


class InProcess:
    """Order host, payment, provider, store and projection on the databases of `settings`.

    `reach` makes the way from one service to another; `nudge` is called when there are new events.
    """

    def __init__(
        self,
        settings: Settings,
        reach: Callable[[Handle], RpcClient] = direct,
        nudge: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.journal = Journal(settings.url("journal"))
        self.ledger = PaymentLedger(settings.url("payments"))
        self.provider = SimulatedProvider(settings.url("provider"))
        self.payments = PaymentService(
            self.ledger,
            self.provider,
            timeout_s=settings.provider_timeout_s,
            breaker_threshold=settings.breaker_threshold,
            breaker_reset_s=settings.breaker_reset_s,
        )
        self.stores = StoreService(settings.url("stores"))
        self.store = reach(self.stores.handle)
        self.view = open_database(settings.url("readmodel"))
        self.projection = Projection(self.journal, self.view)
        self.payment = reach(self.payments.handle)
        self._nudge = nudge
        self.host = self.new_host()
        self._dedicated: list[OrderHost] = []
        self._journals = [self.journal]

    def new_host(self, journal: Journal | None = None) -> OrderHost:
        """Return a host that knows what is in the journal, as after a crash."""
        steps, life = Steps(self.payment, self.store), self.settings.passivate_after_s
        return OrderHost(journal or self.journal, steps, self._nudge, life)

    def orders(self) -> OrderHost | DedicatedOrders:
        """Return what takes commands in: the host, or what gives each order an actor."""
        if self.settings.order_isolation != "dedicated":
            return self.host
        return DedicatedOrders(
            self.host,
            self.journal.placed_as,
            self._dedicated_actor,
            _nobody_looks,
            self.settings.dedicated_max,
            self.settings.passivate_after_s,
        )

    def _dedicated_actor(self, _order_id: str) -> LocalActor:
        self._journals.append(Journal(self.settings.url("journal")))
        self._dedicated.append(self.new_host(self._journals[-1]))
        return LocalActor(self._dedicated[-1].handle)

    async def secret(self) -> str:
        """Return the installation's secret, as hexadecimal digits."""
        return SECRET if self.is_copied else await self.journal.remember("secret", SECRET)

    async def __aenter__(self) -> Self:
        self.is_copied = await _copied(self.settings)
        if not self.is_copied:
            await self.create()
        return self

    async def create(self) -> None:
        """Create what the databases have not got yet."""
        for creation in (
            self.journal.create,
            self.ledger.database.create_tables,
            self.provider.database.create_tables,
            self.stores.create,
        ):
            with suppress(Damaged):  # as the actors do: what can be read is served
                await creation()
        await create_tables(self.settings.url("readmodel"))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        tasks = [task for host in (self.host, *self._dedicated) for task in host._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        for journal in self._journals:
            await journal.close()
        for owner in (self.ledger, self.provider, self.stores, self.view):
            await owner.close()

    async def place(
        self, token: str | None = "tok_approve", *, store_id: str = "gangnam", wait: float = WAIT_S
    ) -> str:
        """Place an order, paid with `token` at once; return its id once it is settled."""
        order_id = uuid4().hex
        command = cmd.PlaceOrder(
            id=uuid4().hex,
            customer_id="c-17",
            store_id=store_id,
            lines=LINES,
            currency="KRW",
            body_hash="hash",
            payment_due=datetime.now(UTC) + timedelta(minutes=15),
            pay=token is not None,
            private=PrivateData("영욱", "010-1234-5678", token),
        )
        await self.send(order_id, command, wait)
        return order_id

    async def send(self, order_id: str, command: cmd.Command, wait: float = WAIT_S) -> OrderReply:
        """Hand a command to an order; raises what it answers instead of a reply."""
        return await self.host.handle(OrderRequest(order_id, pack_command(command), wait))

    async def do(
        self, order_id: str, command: type, *, wait: float = WAIT_S, **fields: object
    ) -> OrderReply:
        """Hand a new command of this type to an order."""
        return await self.send(order_id, command(id=uuid4().hex, **fields), wait)

    async def settle(self) -> None:
        """Wait until no order has a step outstanding, and bring the view up to the journal."""
        while self.host._tasks:
            await asyncio.wait(self.host._tasks)
        await self.projection.catch_up()


async def _copied(settings: Settings) -> bool:
    """Begin a new data folder with copies of empty databases, which take a tenth of the time."""
    folder = settings.data_dir
    if any(map(settings.variable_of, SERVICES)) or any(folder.glob("*.db*")):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    if not _EMPTY:
        _EMPTY.append(TemporaryDirectory(prefix="siren-empty-"))
        empty = InProcess(Settings(data_dir=Path(_EMPTY[0].name)))
        await empty.create()
        await empty.journal.remember("secret", SECRET)
        await empty.close()
    shutil.copytree(_EMPTY[0].name, folder, dirs_exist_ok=True)
    return True


async def _nobody_looks(_order_id: str) -> None:
    """Look after an order's actor: in one process none can be replaced."""
