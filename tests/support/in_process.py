"""The whole system in one process: the services, the projector, and the application over them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from actors.installation import Installation
from actors.runtime import tracing
from actors.settings import Settings
from cluster.peers import PEERS
from readmodel.projector import ProjectionActor
from serve_app.app import build_app
from serve_app.backend import Backend
from tests.support.services import InProcess, over_a_socket

PATIENT_PAYMENT = {"provider_timeout_s": 5, "breaker_threshold": 100, "breaker_reset_s": 0.01}
"""Through the gateway, a card that fails is one test's, and does not stop the next one's."""


@asynccontextmanager
async def in_process(settings: Settings) -> AsyncIterator[Backend]:
    """Run the system with its projector, and hand out what the gateway works with."""
    nudged = asyncio.Event()

    def nudge() -> None:
        projector._projection.traces.expect(tracing.taken_on())
        nudged.set()

    patient = settings.model_copy(update=PATIENT_PAYMENT)
    async with InProcess(patient, over_a_socket, nudge) as system:
        installation = Installation(settings, bytes.fromhex(await system.secret()), order_hosts=1)
        projector = ProjectionActor(installation)
        projector._nudged = nudged
        siren = Backend(installation, PEERS)
        siren._order_hosts = [over_a_socket(system.orders().handle)]
        siren._store = system.store
        try:
            yield siren
        finally:
            await projector.close()
            await siren.close()


@asynccontextmanager
async def client_of(
    siren: Backend, *, max_in_flight: int = 100, token_secret: bytes | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Speak HTTP with the application over a system."""
    transport = httpx.ASGITransport(build_app(siren, max_in_flight, token_secret))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
