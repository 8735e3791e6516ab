"""The process that keeps the view up to date, and the rebuild that replaces it."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray

from actors.contracts.errors import Conflict, Damaged
from actors.contracts.messages import Message
from actors.installation import Installation
from actors.order.journal import Journal
from actors.runtime.database import Database
from actors.runtime.database_faults import file_of, noted_damage
from actors.runtime.hanging import Moving, ended, first, trouble_with
from actors.runtime.live_settings import LiveSettings
from actors.runtime.metrics import measure_for_ever
from actors.runtime.observing import observe_process
from actors.runtime.ray_actors import (
    get_or_create,
    node_address,
    spare_garbage_collection,
    whereabouts,
)
from actors.runtime.retrying import until_done
from actors.runtime.rpc_link import Endpoint
from actors.runtime.rpc_server import RpcServer
from actors.runtime.sqlite_connections import file_id
from actors.runtime.tracing import HandedOn
from actors.runtime.waits import PATIENCE_S
from readmodel.folding import ViewIncomplete
from readmodel.lost_orders import find_lost_orders
from readmodel.new_file import fold_into_new_file
from readmodel.progress import Progress
from readmodel.projection import JournalReplaced, Projection
from readmodel.tables import SHADOW, create_shadow, create_tables, open_database, swap
from readmodel.view_lag import measure_lag

POLL_S = 0.5
"""A nudge is only a hint: without one, the journal is looked at this often."""
PAUSE_S = 0.05
"""Least time from one fold's start to the next one's: under load, they share commits."""
AGAIN_S = 60.0
"""How often it is tried again to fold what was set aside."""
REBUILD_BATCH = 5000
REBUILD_PAUSE_S = 10.0
"""Least time from one rebuild of its own accord to the next, where the first one failed."""

REBUILD_PATIENCE_S = 60.0
"""How long a rebuild may be at one position: a table is made, and put in the other's place."""

logger = logging.getLogger("siren")


async def rebuild(
    journal: Journal, database: Database, progress: Callable[[int, int], None]
) -> None:
    """Fold the whole journal anew and put the result in the view's place.

    The view stays readable, and a projector may go on meanwhile: nothing appended is missed.
    `progress` gets the position reached and the journal's last position, after each batch. Raises
    `UnknownEvent`, or `Conflict` where another rebuild was faster; the view is then as before.
    """
    shadow = await create_shadow(database)
    projection = Projection(journal, database, shadow, SHADOW)
    while True:
        while await projection.fold_next(REBUILD_BATCH):
            last_position = await journal.last_position()
            progress(projection.position, last_position)
        if await swap(database, follows=await _follows(Projection(journal, database))):
            await projection.mended()
            return


async def _follows(live: Projection) -> bool:
    try:
        return await live.follows()
    except Conflict:  # its checkpoint is gone: nobody can tell how far it is
        return False


class ProjectionActor:
    """Folds the journal into the view for as long as it lives, and tells what keeps it from it."""

    def __init__(self, installation: Installation) -> None:
        spare_garbage_collection()
        self._installation = installation
        if ray.is_initialized():  # else it is a guest in somebody's process
            observe_process("projection", installation.settings)
        self._journal = Journal(installation.settings.url("journal"))
        self._url = installation.settings.url("readmodel")
        self._path = file_of(self._url)
        self._file = file_id(str(self._path))
        self._open_view()
        self._live = LiveSettings(installation.settings, self._journal.database)
        self._live.start()
        self._error: str | None = None
        self._nudged = asyncio.Event()
        self._turn = asyncio.Lock()
        self._rebuild_again_at = self._again_at = 0.0
        self._loop = asyncio.create_task(self._keep_up())
        self._measuring = asyncio.create_task(measure_for_ever(self._measure))
        self._rebuild = Progress()
        self._rebuilding: asyncio.Task[None] | None = None
        self._warning: str | None = None
        self._audit = asyncio.create_task(self._look_for_lost_orders())
        self._turns = 0
        self._moving = Moving()
        ports = installation.settings.ports_of_actors
        self._server = RpcServer(_refuse, node_address(), ports, self.trouble)

    def _open_view(self) -> None:
        self._database = open_database(self._url)
        self._projection = Projection(self._journal, self._database)

    async def _measure(self) -> None:
        await measure_lag(self._journal, self._projection.position)

    async def endpoint(self) -> Endpoint:
        """Return where it takes requests (see `RpcServer`): for its health alone."""
        return await self._server.endpoint()

    def trouble(self) -> str | None:
        """Return what does not go on and should; None also where it waits for a database."""
        databases = self._journal.database, self._database
        lost = (ended({"following the journal": self._loop}), *map(trouble_with, databases))
        if (trouble := first(lost)) is not None:
            return trouble
        still_s = self._moving.still_s(
            (self._turns, self._projection.position, self._rebuild.position)
        )
        patience_s = REBUILD_PATIENCE_S if self._rebuild.running else PATIENCE_S
        if still_s <= patience_s or any(each.waits.are_long for each in databases):
            return None
        return f"the journal has not been followed for {still_s:.0f} s"

    async def nudge(self, handed_on: Iterable[HandedOn] = ()) -> None:
        """Hint that something was committed, with the contexts of it that are traced."""
        self._projection.traces.expect(handed_on)
        self._nudged.set()

    async def describe(self) -> dict[str, Any]:
        """Return its whereabouts, the position reached, and what stops it or None.

        `warning` tells of orders that the journal has lost, or is None.
        `rebuild` is the last rebuild of this process: whether it runs, the position reached, the
        journal's last position, and what stopped it or None.
        """
        return {
            **whereabouts(self._installation, self._live),
            "position": self._projection.position,
            "error": self._error,
            "warning": self._warning,
            "rebuild": asdict(self._rebuild),
        }

    async def fold_again(self, order_id: str) -> bool:
        """Fold an order anew that is set aside; return whether its row is as the journal has it.

        Raises `Unavailable` where journal or view cannot be reached.
        """
        async with self._turn:
            return order_id in await self._projection.fold_again([order_id])

    async def rebuild(self) -> None:
        """Start a rebuild unless one is running; `describe` tells how far it is."""
        if not self._rebuild.running:
            self._rebuild = Progress(running=True)
            self._rebuilding = asyncio.create_task(self._run_rebuild())

    async def close(self) -> None:
        """Stop, and close all connections."""
        self._live.stop()
        running = (self._loop, self._measuring, self._audit, self._rebuilding)
        tasks = [task for task in running if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._journal.close()
        await self._database.close()

    async def _keep_up(self) -> None:
        while True:
            self._nudged.clear()
            # Not gather: once cancelled, it would leave behind what still reads the journal.
            async with asyncio.TaskGroup() as both:
                both.create_task(self._catch_up())
                both.create_task(asyncio.sleep(PAUSE_S))
            self._turns += 1
            if self._error is not None:
                await asyncio.sleep(POLL_S)  # nudges do not help here
                continue
            # Not wait_for: before Python 3.12 it may swallow a cancellation.
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._nudged.wait()

    async def _catch_up(self) -> None:
        try:
            async with self._turn:
                await self._look_after_file()
                await self._projection.catch_up()
                await self._try_again()
        except Exception as error:  # noqa: BLE001 - it stays where it is, says why and tries again
            reason = f"stopped after position {self._projection.position}: {_first_line(error)}"
            if reason != self._error:
                logger.error("the projection %s", reason)  # noqa: TRY400 - a trace each retry
            self._error = reason
            if isinstance(error, JournalReplaced | ViewIncomplete | Conflict):
                await self._replace_view()
        else:
            self._error = None

    async def _try_again(self) -> None:
        """Look now and then whether what is set aside was mended."""
        now = asyncio.get_running_loop().time()
        if now >= self._again_at:
            self._again_at = now + AGAIN_S
            await self._projection.fold_again()

    async def _look_after_file(self) -> None:
        """Go over to another file where the view's is damaged, deleted or replaced."""
        if self._path is None:
            return
        found, damage = file_id(str(self._path)), noted_damage(self._path)
        if damage is None and found == self._file:
            return
        if damage is not None or found is None:
            if not self._may_rebuild():
                raise Damaged("database_damaged", f"{self._path}: {damage or 'it was deleted'}")
            logger.error("%s: %s; a new one is folded", self._path, damage or "it was deleted")
            await self._fold_into_new_file(self._path)
        await self._database.close()
        await create_tables(self._url)
        self._file = file_id(str(self._path))
        self._open_view()

    async def _fold_into_new_file(self, path: Path) -> None:
        self._rebuild = progress = Progress(running=True)
        try:
            await fold_into_new_file(self._journal, self._url, path, progress.reached)
        except Exception as error:
            progress.error = _first_line(error)
            raise
        finally:
            progress.running = False

    def _may_rebuild(self) -> bool:
        """Return whether no rebuild runs, and none has just failed."""
        now = asyncio.get_running_loop().time()
        if self._rebuild.running or now < self._rebuild_again_at:
            return False
        self._rebuild_again_at = now + REBUILD_PAUSE_S
        return True

    async def _replace_view(self) -> None:
        """Fold the journal as it is now into a new view; the old one stays readable meanwhile."""
        if not self._may_rebuild():
            return
        logger.error("the view is folded anew from the journal as it is now")
        await self.rebuild()
        if self._audit.done():
            self._audit = asyncio.create_task(self._look_for_lost_orders())

    async def _look_for_lost_orders(self) -> None:
        settings = self._installation.settings
        lost = await until_done(lambda: find_lost_orders(settings, self._journal))
        self._warning = str(lost) or None
        if self._warning:
            logger.error("the journal has lost its end: %s; see `siren verify`", self._warning)

    async def _run_rebuild(self) -> None:
        progress = self._rebuild
        try:
            await rebuild(self._journal, self._database, progress.reached)
        except Exception as error:  # noqa: BLE001 - told by `describe`; the view is as it was
            progress.error = _first_line(error)
            logger.error("the rebuild failed: %s", progress.error)  # noqa: TRY400 - as above
        finally:
            progress.running = False


async def _refuse(request: Any) -> Message:
    raise TypeError(f"the projection does not know {type(request).__name__}")


def _first_line(error: Exception) -> str:
    """Return what went wrong without a database's further lines, which may quote a row."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]


_RemoteProjectionActor = ray.remote(ProjectionActor)


def projection_actor(installation: Installation) -> Any:
    """Return the handle of the projection actor, created if missing. Blocks on Ray."""
    return get_or_create(_RemoteProjectionActor, "projection", installation)
