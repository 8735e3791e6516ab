"""The store service as a Ray actor, one an installation."""

from contextlib import suppress
from typing import Any

import ray

from actors.contracts.errors import Damaged
from actors.installation import Installation
from actors.runtime.hanging import first
from actors.runtime.live_settings import following
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
from actors.store.service import StoreService


class StoreActor:
    """The store service as a Ray actor, one an installation."""

    async def __init__(self, installation: Installation) -> None:  # type: ignore[misc]
        spare_garbage_collection()
        self._installation = installation
        settings = installation.settings
        observe_process("store", settings)
        self._service = StoreService(settings.url("stores"))
        self._live = following(settings, "stores", self._service.database)
        self._live.start()
        self._created = await begun(self._create)
        self._server = RpcServer(
            self._service.handle, node_address(), settings.ports_of_actors, self._trouble
        )

    async def _create(self) -> None:
        with suppress(Damaged):  # told and noted; what is elsewhere in it can still be read
            await self._service.create()

    def _trouble(self) -> str | None:
        stalled = self._server.stalled(self._service.database.waits)
        return first((self._service.trouble(), stalled))

    async def endpoint(self) -> Endpoint:
        """Return where it takes requests (see `RpcServer`)."""
        return await self._server.endpoint()

    async def describe(self) -> dict[str, Any]:
        """Return its whereabouts."""
        return whereabouts(self._installation, self._live)


_RemoteStoreActor = ray.remote(StoreActor)


def store_actor(installation: Installation) -> Any:
    """Return the handle of the store actor, created where it is missing. Blocks."""
    return get_or_create(_RemoteStoreActor, "store", installation)
