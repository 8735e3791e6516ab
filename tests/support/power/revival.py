"""A system started again, by production's code, on what a power cut has left of its files."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from actors.installation import Installation
from actors.order.ids import SLOTS
from actors.payment.service import PaymentService
from actors.settings import Settings
from cluster.peers import PEERS
from cluster.running import integrity
from cluster.running.bootstrap import CREATIONS, prepare_databases
from readmodel.projection import Projection
from serve_app.backend import Backend
from tests.support.in_process import client_of
from tests.support.power.books import Schemas, schemas_of
from tests.support.services import SECRET, InProcess, direct


class Machine:
    """One process with a whole system in it, and a folder of its own: cut off, and started again.

    What belongs to a database's file is opened anew at each start. What was compiled for it is
    kept, which is most of what a start takes.
    """

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder, breaker_threshold=100)
        self.told: list[str] = []
        """What the start said of the files."""
        folder.mkdir(parents=True, exist_ok=True)

    async def __aenter__(self) -> Self:
        self._system = InProcess(self.settings)
        installation = Installation(self.settings, bytes.fromhex(SECRET), order_hosts=1)
        self._siren = Backend(installation, PEERS)
        self._siren._store = direct(self._system.stores.handle)
        self._opened = AsyncExitStack()
        self.http: httpx.AsyncClient = await self._opened.enter_async_context(
            client_of(self._siren)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.switch_off()
        await self._opened.aclose()

    async def start(self, files: dict[str, bytes], whole: Schemas | None) -> None:
        """Start on these files, and wait until every order is at rest and in the view.

        As `siren up` does: the files are looked at, the databases prepared, open orders taken up.
        To prepare a database that has its schema of `whole` would change nothing, and is left out.
        """
        await self.switch_off()
        for path in self.settings.data_dir.iterdir():
            path.unlink()
        for name, content in files.items():
            (self.settings.data_dir / name).write_bytes(content)
        self.told.clear()
        integrity.check_files(self.settings, self.told.append)
        system = self._system
        installation = await self._prepare(whole)
        self._siren.installation = installation
        system.payments = PaymentService(
            system.ledger,
            system.provider,
            timeout_s=self.settings.provider_timeout_s,
            breaker_threshold=self.settings.breaker_threshold,
            breaker_reset_s=self.settings.breaker_reset_s,
        )
        system.payment = direct(system.payments.handle)
        system.host = system.new_host()
        system.projection = Projection(system.journal, system.view)
        self._siren._order_hosts = [direct(system.host.handle)]
        await system.host.recover(await system.journal.open_orders(range(SLOTS)))
        await self.rest()

    async def _prepare(self, whole: Schemas | None) -> Installation:
        settings, journal = self.settings, self._system.journal
        found = schemas_of(settings.data_dir)
        if whole is None or found["journal"] != whole["journal"]:
            return await prepare_databases(settings, self.told.append)
        for service, create in CREATIONS.items():
            if found[service] != whole[service]:
                await create(settings.url(service))
        secret = await journal.recall("secret")
        assert secret is not None
        return Installation(settings, bytes.fromhex(secret), order_hosts=1)

    async def rest(self) -> None:
        """Wait until no order has a step outstanding, and bring the view up to the journal."""
        await self._system.settle()

    async def switch_off(self) -> None:
        """End all that runs, and close all files: the next start is on others."""
        host = self._system.host
        for order_id in list(host._deadlines._waiting):
            host.set_deadline(order_id, None)
        for task in host._tasks:
            task.cancel()
        await asyncio.gather(*host._tasks, return_exceptions=True)
        await self._system.close()
        await self._siren.close()
