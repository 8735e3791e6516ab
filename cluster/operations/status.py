"""What `siren status` shows: processes, actors and where they live, open work, the view's lag.

It answers within `ANSWER_S` whatever is broken: each part is asked for in a thread of its own, and
what has not answered by then is shown as just that.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from rich.console import Group
from rich.table import Table
from rich.text import Text
from sqlalchemy import func, select

from actors.contracts.errors import SirenError, Unavailable
from actors.order.journal import Journal
from actors.order.journal_tables import open_orders
from actors.order.telling import count_stuck
from actors.runtime.clock import utc_now
from actors.runtime.database_faults import damaged_databases, file_of, name_of
from actors.runtime.live_settings import LIVE_SETTINGS, live_values
from actors.runtime.lock_file import is_held, read_holder
from actors.settings import Settings
from cluster.operations.database_urls import elsewhere
from readmodel.queries import OrderDetails

ANSWER_S = 8.0
"""From the call on; the command's own start comes before."""
GATEWAY_S = 3.0
SERVER_ERROR = 500
STOPPED = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)

OVERDUE = timedelta(seconds=15)
"""Whoever ended with open orders is stood in for within this."""

Facts = dict[str, Any]
Shown = Table | Text | Group


@dataclass(frozen=True, slots=True)
class Status:
    """The report; `problem` is a sentence where not all is well, as far as could be seen.

    `hangs`: a part is still waited for, by a thread that may never end.
    """

    shown: Group
    problem: str | None
    hangs: bool


class Part:
    """One part of the report, asked for in a thread: it may hang for ever.

    What it yields last is shown; before that, what there is so far.
    """

    def __init__(self, title: str, ask: Callable[[], Iterable[Shown]]) -> None:
        self.title = title
        self._ask = ask
        self._found: Shown | None = None
        self._error = f"no answer within {ANSWER_S:.0f} s"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for found in self._ask():
                self._found = found
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what there is to say
            self._error = _first_line(error)

    def shown(self, deadline: float) -> Shown:
        """Return what was found by then, or why nothing was."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return self._found or Text(f"{self.title}: {self._error}", style="red")

    @property
    def well(self) -> bool:
        """Whether it could be asked."""
        return self._found is not None

    @property
    def hangs(self) -> bool:
        """Whether it is still waited for."""
        return self._thread.is_alive()


def describe(settings: Settings) -> Status:
    """Return the report on the system of the settings' data folder, running or not."""
    deadline = time.monotonic() + ANSWER_S
    logging.getLogger("siren").addHandler(logging.NullHandler())  # the report tells of each fault
    folder = settings.data_dir.absolute()
    holder = read_holder(folder) if is_held(folder) else {}
    processes = {name: (pid, _state_of(pid)) for name, pid in _pids(holder).items()}
    broken = [f"{name} ({pid}) is {state}" for name, (pid, state) in processes.items() if state]
    parts = []
    if "url" in holder:
        parts.append(Part("gateway", lambda: [gateway(holder["url"])]))
    journal = file_of(settings.url("journal"))
    if holder or journal is None or journal.exists():
        parts.append(Part("databases", lambda: [asyncio.run(numbers(settings))]))
    if "ray" in holder and not broken:
        parts.append(Part("actors", lambda: _actors(holder["ray"])))
    problem = None
    if not holder:
        problem = f"nothing runs on {folder}: start it with `siren up`"
    elif broken:
        problem = f"{', '.join(broken)}: the actors cannot be asked"
    shown: list[Shown] = [_table_of(processes, holder)] if holder else []
    if "metrics" in holder:
        shown.append(Text(f"metrics: {holder['metrics']}"))
    shown += [part.shown(deadline) for part in parts]
    silent = [part.title for part in parts if not part.well]
    if silent and problem is None:
        problem = f"not all could be asked: {', '.join(silent)}"
    return Status(Group(*shown), problem, any(part.hangs for part in parts))


def _table_of(processes: dict[str, tuple[int, str]], holder: Facts) -> Table:
    where = holder.get("url", "an address that it has not told yet: it starts")
    table = Table("process", "id", "state", title=f"Siren Order at {where}", title_justify="left")
    for name, (pid, state) in processes.items():
        table.add_row(name, str(pid), state or "running")
    return table


def _pids(holder: Facts) -> dict[str, int]:
    """Return the processes that the lock file tells of."""
    pids = {"siren up": holder.get("pid"), **holder.get("servers", {})}
    return {name: pid for name, pid in pids.items() if isinstance(pid, int)}


def _state_of(pid: int) -> str:
    """Return what is wrong with a process; nothing where it runs."""
    try:
        status = psutil.Process(pid).status()
    except psutil.Error:
        return "dead"
    if status == psutil.STATUS_ZOMBIE:
        return "dead"
    return "stopped" if status in STOPPED else ""


def gateway(url: str) -> Text:
    """Return that the gateway answers; raises `SirenError` where it does not, in `GATEWAY_S`."""
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=GATEWAY_S)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        detail = f"does not answer ({_first_line(error)})"
        raise SirenError("no_answer", detail) from error
    finally:
        connection.close()
    if status >= SERVER_ERROR:  # HAProxy's own, where no replica is behind it
        raise SirenError("no_answer", f"does not answer (no replica does: status {status})")
    return Text("gateway: answers")


def _actors(address: str) -> Iterator[Table]:
    # Importing Ray takes seconds, which only this part should wait for.
    from cluster.operations.actors_status import actors_at  # noqa: PLC0415

    return actors_at(address)


async def numbers(settings: Settings) -> Table:
    """Return the databases' figures, or what keeps each from being asked."""
    journal, details = Journal(settings.url("journal")), OrderDetails(settings.url("readmodel"))
    table = Table("figure", "value")

    async def add(name: str, figure: Awaitable[int | str]) -> None:
        try:
            table.add_row(name, str(await figure))
        except Unavailable as error:  # one database's trouble: the others are shown
            table.add_row(name, error.detail)

    async def count_open() -> int:
        async with journal.database.read() as connection:
            return await connection.scalar(select(func.count()).select_from(open_orders)) or 0

    async def overdue() -> str:
        now = utc_now()
        late, oldest = await journal.count_overdue(now - OVERDUE)
        seconds = 0 if oldest is None else (now - oldest).total_seconds()
        return f"{late}, the oldest for {seconds:.0f} s" if late else "0"

    async def behind() -> int:
        seen = await details.position()
        return max(0, await journal.last_position() - seen)

    async def newest() -> int:
        return live_values(await journal.recall(LIVE_SETTINGS)).version

    try:
        await add("events in the journal", journal.last_position())
        await add("orders with a step outstanding or a deadline", count_open())
        await add("of them overdue", overdue())
        await add("stuck, see `siren orders --stuck`", count_stuck(journal))
        await add("events the view is behind", behind())
        await add("version of the live settings", newest())
    finally:
        await journal.close()
        await details.close()
    for place, services in elsewhere(settings).items():
        table.add_row(place, ", ".join(services))
    for service, words in damaged_databases(settings).items():
        table.add_row(f"DAMAGED: {Path(name_of(settings.url(service))).name}", words)
    return table


def _first_line(error: Exception) -> str:
    if isinstance(error, SirenError):
        return str(getattr(error, "cause", None) or error.detail)
    return str(error).strip().partition("\n")[0] or type(error).__name__
