"""The payment service as a Ray actor, one an installation."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any

import ray

from actors.contracts.errors import Damaged
from actors.installation import Installation
from actors.payment.ledger import PaymentLedger
from actors.payment.provider import SimulatedProvider
from actors.payment.service import PaymentService
from actors.runtime.hanging import first
from actors.runtime.live_settings import following
from actors.runtime.metrics import measure_for_ever
from actors.runtime.observing import observe_process
from actors.runtime.ray_actors import (
    get_or_create,
    node_address,
    spare_garbage_collection,
    whereabouts,
)
from actors.runtime.retrying import begun
from actors.runtime.rpc_link import Endpoint
from actors.runtime.rpc_server import RpcServer
from actors.settings import Settings


async def _create_tables(owner: PaymentLedger | SimulatedProvider) -> None:
    with suppress(Damaged):  # told and noted; what is elsewhere in it can still be read
        await owner.create()


class PaymentActor:
    """The payment service as an actor."""

    async def __init__(self, installation: Installation) -> None:  # type: ignore[misc]
        spare_garbage_collection()
        self._installation = installation
        settings = installation.settings
        observe_process("payment", settings)
        ledger = PaymentLedger(settings.url("payments"))
        provider = SimulatedProvider(settings.url("provider"))
        self._service = PaymentService(
            ledger,
            provider,
            timeout_s=settings.provider_timeout_s,
            breaker_threshold=settings.breaker_threshold,
            breaker_reset_s=settings.breaker_reset_s,
        )
        self._live = following(settings, "payments", ledger.database)
        self._live.tell(self._reconfigure)
        self._live.start()
        self._measuring = asyncio.create_task(measure_for_ever(self._service.show_circuits))
        self._owners = ledger, provider
        self._server = RpcServer(
            self._service.handle, node_address(), settings.ports_of_actors, self._trouble
        )
        self._created = [await begun(partial(_create_tables, owner)) for owner in self._owners]

    def _trouble(self) -> str | None:
        waits = [self._service.waits, *(owner.database.waits for owner in self._owners)]
        return first((*(owner.trouble() for owner in self._owners), self._server.stalled(*waits)))

    async def endpoint(self) -> Endpoint:
        """Return where it takes requests (see `RpcServer`)."""
        return await self._server.endpoint()

    async def describe(self) -> dict[str, Any]:
        """Return its whereabouts, and how the provider answers charges and refunds."""
        return {**whereabouts(self._installation, self._live), **self._service.standing()}

    def _reconfigure(self, now: Settings) -> None:
        self._service.reconfigure(
            timeout_s=now.provider_timeout_s,
            breaker_threshold=now.breaker_threshold,
            breaker_reset_s=now.breaker_reset_s,
        )


_RemotePaymentActor = ray.remote(PaymentActor)


def payment_actor(installation: Installation) -> Any:
    """Return the payment actor's handle, and create the actor if there is none; blocks."""
    return get_or_create(_RemotePaymentActor, "payment", installation)
