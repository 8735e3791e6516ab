"""The whole system in one process: every service, its database and the client, without Ray."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any

from actors.contracts.errors import Damaged
from actors.contracts.messages import Message
from actors.installation import Installation
from actors.order.dedicated import DedicatedOrders
from actors.order.host import OrderHost
from actors.order.journal import Journal
from actors.order.steps import Steps
from actors.payment.ledger import PaymentLedger
from actors.payment.provider import SimulatedProvider
from actors.payment.service import PaymentService
from actors.runtime.rpc_client import RpcClient
from actors.runtime.rpc_server import RpcServer
from actors.settings import Settings
from actors.store.service import StoreService
from cluster.peers import PEERS
from readmodel.projector import ProjectionActor
from readmodel.tables import create_tables
from serve_app.backend import Backend


class LocalActor:
    """What a channel sees of an actor."""

    def __init__(self, handle: Callable[[Any], Awaitable[Message]]) -> None:
        self.endpoint = SimpleNamespace(remote=RpcServer(handle, "127.0.0.1").endpoint)


@asynccontextmanager
async def in_process(settings: Settings) -> AsyncIterator[Backend]:
    """Run the services on empty databases, and hand out their client."""
    journal, store = Journal(settings.url("journal")), StoreService(settings.url("stores"))
    ledger = PaymentLedger(settings.url("payments"))
    provider = SimulatedProvider(settings.url("provider"))
    for creation in (
        journal.create,
        store.create,
        ledger.database.create_tables,
        provider.database.create_tables,
    ):
        with suppress(Damaged):  # as the actors do: what can be read is served
            await creation()
    await create_tables(settings.url("readmodel"))
    secret = await journal.remember("secret", b"secret".hex())
    installation = Installation(settings, bytes.fromhex(secret), order_hosts=1)
    projector = ProjectionActor(installation)
    payment = PaymentService(
        ledger, provider, timeout_s=5, breaker_threshold=100, breaker_reset_s=0.01
    )
    payment_actor, store_actor = LocalActor(payment.handle), LocalActor(store.handle)
    steps = Steps(RpcClient(lambda: payment_actor), RpcClient(lambda: store_actor))
    host = OrderHost(journal, steps, projector._nudged.set, settings.passivate_after_s)
    hosts, journals = [host], [journal]

    def dedicated_actor(_order_id: str) -> LocalActor:
        journals.append(Journal(settings.url("journal")))
        nudge, life = projector._nudged.set, settings.passivate_after_s
        hosts.append(OrderHost(journals[-1], steps, nudge, life))
        return LocalActor(hosts[-1].handle)

    router: OrderHost | DedicatedOrders = host
    if settings.order_isolation == "dedicated":
        router = DedicatedOrders(
            host,
            journal.placed_as,
            dedicated_actor,
            settings.dedicated_max,
            settings.passivate_after_s,
        )
    order_host = LocalActor(router.handle)
    siren = Backend(installation, PEERS)
    siren._order_hosts = [RpcClient(lambda: order_host)]
    siren._store = RpcClient(lambda: store_actor)
    try:
        yield siren
    finally:
        await projector.close()
        await siren.close()
        for task in [task for each in hosts for task in each._tasks]:
            task.cancel()
        for opened in journals:
            await opened.close()
        for service in (store, ledger, provider):
            await service.close()
