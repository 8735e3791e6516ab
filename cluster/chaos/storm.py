"""One run: customers at work while faults come as planned, then rest, and then every check."""

import asyncio
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Protocol

from actors.settings import Settings
from cluster.chaos import checks
from cluster.chaos.books import Books
from cluster.chaos.clients import Clients
from cluster.chaos.customers import Customers, Goods, goods_of
from cluster.chaos.fault import Fault
from cluster.chaos.history import Violation
from cluster.chaos.plan import Planned, plan
from cluster.chaos.report import Happened, Report

STRETCH_S = 600.0
"""A longer run is made of stretches, with a rest and the checks after each: so little has to be
remembered of a day."""
REST_S = 90.0
"""Everybody must be answered, and everything at rest, so long after the last fault."""
LOOK_S = 0.1
TRY_S, TRIES = 0.25, 20
"""What a fault is for may be away just then, and be back soon."""


class Watcher(Protocol):
    """Is told how a run goes on."""

    def happened(self, fault: Happened) -> None:
        """Note that a fault has begun, or was over at once."""

    def stage(self, words: str) -> None:
        """Note what is done now."""


class Storm:
    """Runs faults on a system for some seconds, with customers at work, and checks their orders.

    `report` fills up meanwhile. `over` ends it early: what has begun is undone, and all is checked.
    """

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        faults: Sequence[Fault],
        report: Report,
        watcher: Watcher,
    ) -> None:
        self._settings = settings
        self._clients = clients
        self._planned = plan(faults, report.seed)
        self._next = next(self._planned)
        self._watcher = watcher
        self._name = uuid.uuid4().hex[:6]
        self._number = 0
        self.report = report
        self.over = asyncio.Event()
        self.broken_s = 0.0
        """For how long faults have come so far; while all is checked, none do."""
        self._zero = 0.0
        self.customers: Customers | None = None
        self._goods: list[Goods] = []
        self._books = Books(settings)

    async def run(self) -> None:
        """Run it all; raises `SirenError` where it cannot begin, or the books cannot be read."""
        self.report.waits = self._clients.waits
        try:
            self._goods = await goods_of(self._clients)
            with tempfile.TemporaryFile("w+") as acknowledged:
                for until in self._stretches():
                    checks.remember(await self._stretch(until), acknowledged)
                await checks.check_still_there(acknowledged, self._books, self.report)
            self._watcher.stage("auditing all databases")
            await checks.audit(self._settings, self.report)
        finally:
            await self._books.close()

    def _stretches(self) -> Iterator[float]:
        until = 0.0
        while until < self.report.seconds and not self.over.is_set():
            until = min(until + STRETCH_S, self.report.seconds)
            yield until

    async def _stretch(self, until: float) -> Customers:
        self._watcher.stage("breaking things")
        before = await self._books.position()
        report = self.report
        customers = Customers(self._clients, self._goods, self._name, report.seed, self._number)
        self.customers = customers
        closed = asyncio.Event()
        ordering = asyncio.create_task(customers.order(report.rate, closed))
        try:
            await self._break(until)
        finally:
            closed.set()
            await ordering
        self._watcher.stage("waiting until all is at rest")
        await self._settle(customers, time.monotonic())
        self._watcher.stage(f"checking {len(customers.orders):,} orders")
        await checks.check_orders(customers, self._books, report, before)
        self._number = customers.next
        return customers

    async def _break(self, until: float) -> None:
        """Let faults come until a moment of `broken_s`, or the end; return with the last one."""
        zero = self._zero = time.monotonic() - self.broken_s
        going = set[asyncio.Task[None]]()
        try:
            while self._next.at_s < until and not await self._is_over(zero + self._next.at_s):
                going.add(asyncio.create_task(self._apply(self._next)))
                self._next = next(self._planned)
                self.broken_s = time.monotonic() - zero
            await self._is_over(zero + until)
            if not self.over.is_set():
                await asyncio.gather(*going)
        finally:  # whatever is stopped or locked goes on
            for task in going:
                task.cancel()
            await asyncio.gather(*going, return_exceptions=True)
            self.broken_s = max(until, time.monotonic() - zero)

    async def _is_over(self, moment: float) -> bool:
        """Wait until a moment; return whether the run has been ended before."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), max(0.0, moment - time.monotonic()))
        return self.over.is_set()

    async def _apply(self, planned: Planned) -> None:
        fault, lasts = planned.fault, planned.lasts_s
        applied = False

        def begun(to: str) -> None:
            nonlocal applied
            applied = True
            at = time.monotonic() - self._zero
            happened = Happened(at, fault.name, fault.group, fault.words, to, lasts)
            self.report.faults.append(happened)
            self._watcher.happened(happened)

        for _ in range(TRIES):
            await fault.do(lasts, begun)
            if applied:
                return
            await asyncio.sleep(TRY_S)
        self.report.nothing_there[fault.name] += 1

    async def _settle(self, customers: Customers, since: float) -> None:
        """Wait until everybody is answered, nothing is outstanding, and a new order is served."""
        report = self.report
        if late := await customers.finish(REST_S):
            words = f"{late} customers got no answer within {REST_S:.0f} s of the last fault"
            report.violations.append(Violation("", "unanswered", words))
        served = False
        left: set[str] = set()
        while time.monotonic() < since + REST_S:
            served = served or await customers.is_served()
            left = await self._books.outstanding() & customers.orders.keys()
            position = await self._books.position()
            if served and not left and await self._has_view(position, since + REST_S):
                report.settled_s.append(time.monotonic() - since)
                return
            await asyncio.sleep(LOOK_S)
        report.violations += [
            Violation(each, "not_at_rest", f"{REST_S:.0f} s after the last fault") for each in left
        ] or [Violation("", "not_served", f"no new order was within {REST_S:.0f} s")]

    async def _has_view(self, position: int, until: float) -> bool:
        while await self._books.viewed() < position:
            if time.monotonic() > until:
                return False
            await asyncio.sleep(LOOK_S)
        return True
