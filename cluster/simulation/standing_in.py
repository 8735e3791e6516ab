"""Puts the simulation's clock, numbers and databases in the place of the machine's.

Only while it simulates, and by the names through which production's modules reach them.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import actors.client
import actors.order.actor
import actors.order.ids
import actors.order.overdue
import actors.order.virtual_order
import actors.payment.ledger
import actors.runtime.clock
import actors.runtime.database
import actors.runtime.retrying
import readmodel.projector
from actors.runtime.clock import EPOCH
from actors.runtime.database import Database
from cluster.simulation.loop import SimulatedLoop
from cluster.simulation.network import STANDSTILL_S
from cluster.simulation.storage import Disks
from cluster.simulation.ways_in import fetch, fetch_all, read, transact

BEGINNING = datetime(2026, 3, 1, 3, tzinfo=UTC)
"""When each schedule begins; noon in Seoul."""
POLL_S = 20.0
"""How often the projector looks without a nudge: each look costs the simulation what an event
costs."""
LOOK_S = 8.0
SWEEP_S = 3.0
PAUSE_S = 0.5


class SimulatedClock:
    """The wall clock of the incarnation that runs."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop

    def now(self, _zone: Any = None) -> datetime:
        """Return what the clock of its machine shows."""
        loop = self._loop
        return BEGINNING + timedelta(seconds=loop.now + loop.current.machine.ahead_s)

    def time_ns(self) -> int:
        """Return the same in nanoseconds since 1970."""
        return (self.now() - EPOCH) // timedelta(microseconds=1) * 1000


class Numbers:
    """What is unique, and the same in each run of a schedule."""

    def __init__(self) -> None:
        self._number = 0

    def begin(self) -> None:
        """Begin anew."""
        self._number = 0

    def next(self) -> int:
        """Return the next number."""
        self._number += 1
        return self._number

    def token_hex(self, size: int) -> str:
        """Stand in for `secrets.token_hex`."""
        return f"{self.next():0{2 * size}x}"

    def uuid4(self) -> UUID:
        """Stand in for `uuid.uuid4`."""
        return UUID(int=self.next())


class Listener(logging.Handler):
    """Hears what production logs as an error that it did not expect."""

    def __init__(self, told: Callable[[BaseException], None]) -> None:
        super().__init__(logging.ERROR)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the exception on, where there is one."""
        if record.exc_info and record.exc_info[1] is not None:
            self._told(record.exc_info[1])


@contextmanager
def standing_in(
    loop: SimulatedLoop, disks: Disks, numbers: Numbers, told: Callable[[BaseException], None]
) -> Iterator[None]:
    """Let production run on the simulation's clock, numbers and databases in the block."""
    clock = SimulatedClock(loop)
    listener, logger = Listener(told), logging.getLogger("siren")
    before = logger.level, logger.propagate, logger.handlers[:]
    replaced = (
        (actors.runtime.clock, "datetime", clock),
        (actors.client, "datetime", clock),
        (actors.order.ids, "time", clock),
        (actors.order.virtual_order, "monotonic", loop.time),
        (actors.order.virtual_order, "STANDSTILL_S", STANDSTILL_S),
        (actors.payment.ledger, "token_hex", numbers.token_hex),
        (actors.runtime.database, "InlineSqlite", disks.inline),
        (actors.runtime.database, "Engines", disks.engines),
        (Database, "transact", transact),
        (Database, "fetch", fetch),
        (Database, "fetch_all", fetch_all),
        (Database, "read", read),
        (actors.order.overdue, "LOOK_S", LOOK_S),
        (actors.order.actor, "SWEEP_S", SWEEP_S),
        (readmodel.projector, "POLL_S", POLL_S),
        (readmodel.projector, "PAUSE_S", PAUSE_S),
        (actors.runtime.retrying, "TRACES", sys.maxsize),
    )
    originals = [(module, name, getattr(module, name)) for module, name, _ in replaced]
    logger.handlers, logger.propagate = [listener], False
    logger.setLevel(logging.ERROR)
    for module, name, value in replaced:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in originals:
            setattr(module, name, value)
        logger.setLevel(before[0])
        logger.propagate, logger.handlers = before[1], before[2]
