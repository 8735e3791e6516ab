"""The whole system in one process, without Ray: real services on real databases."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self, cast
from uuid import uuid4

from actors.contracts.errors import Unavailable
from actors.contracts.messages import OrderReply, OrderRequest
from actors.contracts.values import PrivateData
from actors.order.command_codec import pack_command
from actors.order.domain import commands as cmd
from actors.order.host import OrderHost
from actors.order.journal import Journal
from actors.order.steps import Steps
from actors.payment.ledger import PaymentLedger
from actors.payment.provider import SimulatedProvider
from actors.payment.service import PaymentService
from actors.runtime.rpc_client import RpcClient
from actors.settings import Settings
from actors.store.service import StoreService
from readmodel.projection import Projection
from readmodel.tables import create_tables, open_database
from tests.support.orders import LINES

WAIT_S = 30.0


class Direct:
    """Stands in for a `RpcClient`: asks a service of this process."""

    def __init__(self, handle: Callable[[Any], Awaitable[Any]]) -> None:
        self._handle = handle

    async def ask(self, request: object, timeout: float) -> Any:
        try:
            # Not `wait_for`: until Python 3.12 it may swallow that it was cancelled.
            async with asyncio.timeout(timeout):
                return await self._handle(request)
        except TimeoutError as error:
            raise Unavailable("no_reply", "The service did not answer in time.") from error


class InProcess:
    """Order host, payment, provider, store and projection on the databases of `settings`."""

    def __init__(self, settings: Settings) -> None:
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
        self.view = open_database(settings.url("readmodel"))
        self.projection = Projection(self.journal, self.view)
        steps = Steps(
            cast(RpcClient, Direct(self.payments.handle)),
            cast(RpcClient, Direct(self.stores.handle)),
        )
        self.host = OrderHost(self.journal, steps, lambda: None, settings.passivate_after_s)

    async def __aenter__(self) -> Self:
        await self.journal.create()
        await self.ledger.database.create_tables()
        await self.provider.database.create_tables()
        await self.stores.create()
        await create_tables(self.settings.url("readmodel"))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self.host._tasks:
            task.cancel()
        await asyncio.gather(*self.host._tasks, return_exceptions=True)
        for owner in (self.journal, self.ledger, self.provider, self.stores, self.view):
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
