"""Measurements of one part of the system, without Ray, each in a process of its own."""

import asyncio
import multiprocessing
import sqlite3
import time
from collections.abc import Callable, Coroutine
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

from actors.order.host import RECOVERY_BATCH, OrderHost
from actors.order.ids import SLOTS
from actors.order.journal import Journal
from actors.order.steps import Steps
from actors.runtime.ray_actors import spare_garbage_collection
from actors.runtime.rpc_client import RpcClient
from actors.settings import Settings
from readmodel.projector import rebuild
from readmodel.tables import open_database
from tests.support.services import InProcess, direct

LIMIT_S = 300.0
"""No measurement takes longer; one that would is given up."""
NEVER_S = 3600.0

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Woken:
    """Orders taken into memory: how many, seconds, and bytes that the process has grown by.

    `recovery_*` is what `OrderHost.recover` took before, for those that only wait.
    """

    orders: int
    recovery_s: float
    recovery_bytes: int
    wake_s: float
    wake_bytes: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """Seconds until all open orders were in hand again, and until all were settled."""

    orders: int
    taken_up_s: float
    settled_s: float


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many events a rebuild folded in how many seconds; whether that were all there are."""

    events: int
    seconds: float
    complete: bool


def in_own_process(
    measurement: Callable[[Path], Coroutine[Any, Any, Answer]], folder: Path
) -> Answer:
    """Run a measurement in a new process; raises `TimeoutError` where it takes too long."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        waiting = pool.apply_async(_run, (measurement, folder))
        try:
            answer: Answer = waiting.get(LIMIT_S * 1.2)
        except multiprocessing.TimeoutError as error:
            raise TimeoutError(f"{measurement.__name__} hangs") from error
        return answer


def _run(measurement: Callable[[Path], Coroutine[Any, Any, Answer]], folder: Path) -> Answer:
    return asyncio.run(measurement(folder))


async def wake_all(folder: Path) -> Woken:
    """Recover all open orders of a folder as a host does, then take all its orders into memory."""
    async with InProcess(Settings(data_dir=folder)) as system:
        host = _host(system, direct(system.payments.handle))
        order_ids = _order_ids(folder)
        spare_garbage_collection()
        memory = [_resident()]
        times = [time.perf_counter()]

        def note() -> None:
            times.append(time.perf_counter())
            memory.append(_resident())

        await host.recover(await system.journal.open_orders(range(SLOTS)))
        note()
        for start in range(0, len(order_ids), RECOVERY_BATCH):
            await host.take_up(order_ids[start : start + RECOVERY_BATCH])
        note()
        assert len(host) == len(order_ids)
    return Woken(
        orders=len(order_ids),
        recovery_s=times[1] - times[0],
        recovery_bytes=memory[1] - memory[0],
        wake_s=times[2] - times[1],
        wake_bytes=memory[2] - memory[0],
    )


async def take_up_all(folder: Path) -> float:
    """Return the seconds until a host has all open orders of a folder in hand again.

    Each is in memory, and its step under way or in the queue. Nobody answers, so that it is the
    host's own work alone, and the folder stays as it is.
    """

    async def silence(_: object) -> None:
        await asyncio.Event().wait()

    async with InProcess(Settings(data_dir=folder)) as system:
        host = _host(system, direct(silence))
        spare_garbage_collection()
        began = time.perf_counter()
        due = await system.journal.open_orders(range(SLOTS))
        try:
            async with asyncio.timeout(LIMIT_S):
                await host.recover(due)
            return time.perf_counter() - began
        finally:
            await _end(host)


async def recover_charging(folder: Path) -> Recovered:
    """Recover a folder whose open orders all have their charge outstanding.

    Payment and store are in this process too, and take their share of its one core.
    """
    async with InProcess(Settings(data_dir=folder)) as system:
        host = _host(system, direct(system.payments.handle))
        spare_garbage_collection()
        began = time.perf_counter()
        due = await system.journal.open_orders(range(SLOTS))
        try:
            async with asyncio.timeout(LIMIT_S):
                await host.recover(due)
                taken_up = time.perf_counter()
                while host._tasks:
                    await asyncio.wait(host._tasks)
        finally:
            settled = time.perf_counter()
            await _end(host)
    return Recovered(len(due), taken_up - began, settled - began)


async def rebuild_view(folder: Path) -> Rebuilt:
    """Rebuild the view; after `LIMIT_S` seconds that is given up, and the view is as before."""
    settings = Settings(data_dir=folder)
    journal, view = Journal(settings.url("journal")), open_database(settings.url("readmodel"))
    reached, last = 0, 0

    def progress(position: int, last_position: int) -> None:
        nonlocal reached, last
        reached, last = position, last_position

    spare_garbage_collection()
    began = time.perf_counter()
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(LIMIT_S):
                await rebuild(journal, view, progress)
        return Rebuilt(reached, time.perf_counter() - began, complete=reached == last)
    finally:
        await journal.close()
        await view.close()


def _host(system: InProcess, payment: RpcClient) -> OrderHost:
    steps = Steps(payment, system.store)
    return OrderHost(system.journal, steps, lambda: None, NEVER_S)


async def _end(host: OrderHost) -> None:
    tasks = list(host._tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _order_ids(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "journal.db")) as journal:
        return [row[0] for row in journal.execute("SELECT order_id FROM order_private")]


def _resident() -> int:
    resident: int = psutil.Process().memory_info().rss
    return resident
