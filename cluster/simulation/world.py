"""One schedule after the other: how it begins, how long it goes on, and its end."""

import gc
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from actors.installation import Installation
from actors.order.journal import Journal
from actors.payment.ledger import PaymentLedger
from actors.store.service import StoreService
from cluster.simulation.chance import Chance, Fault, Script
from cluster.simulation.clients import Clients
from cluster.simulation.invariants import check
from cluster.simulation.loop import Incarnation, Machine, SimulatedLoop, run_alone, running
from cluster.simulation.mishaps import Mishaps
from cluster.simulation.network import Network, Nudges
from cluster.simulation.participants import (
    PROJECTOR,
    SECOND_PROJECTOR,
    SERVICES,
    SYSTEMS,
    make_client,
    maker_of,
    role_of,
    settings_of_simulation,
)
from cluster.simulation.plan import Plan
from cluster.simulation.ports import Port
from cluster.simulation.processes import Processes
from cluster.simulation.provider import ThirdParty
from cluster.simulation.record import Record, Violation
from cluster.simulation.standing_in import Numbers, standing_in
from cluster.simulation.storage import Disks
from cluster.simulation.story import Story
from cluster.simulation.template import Template
from readmodel.tables import create_tables

HOUR_S = 3600.0
FAULTS_UNTIL_S = 40.0
"""No fault of the network or of a database begins later."""
TIDY_EVERY = 64
"""Garbage is collected between schedules, so often."""


@dataclass
class Outcome:
    """What became of a schedule. `faults`: what went wrong, as a script that repeats it.

    `ending`: a number of all that people, provider and databases have in the end.
    """

    plan: Plan
    violations: list[Violation]
    faults: Script
    states: set[int]
    took_s: float
    ending: int
    trace: list[str] | None
    points: list[Any] | None = None


class World(Port):
    """Everything there is. Use it as a context manager: production runs on its clock meanwhile."""

    def __init__(self) -> None:
        self.loop = SimulatedLoop()  # type: ignore[abstract]
        self.disks = Disks()
        self.numbers = Numbers()
        self.network = Network(self)
        self.provider = ThirdParty(self)
        self.mishaps = Mishaps(self)
        self.itself = Incarnation("world", 1, Machine("outside"))
        self.installation = Installation(
            settings_of_simulation(), b"a secret of 32 bytes, or so     ", 1
        )
        self.nudges: list[Nudges] = []
        self.templates: dict[str, Template[Any]] = {}
        self._ran = 0
        self._begin(Plan(0, ()), Chance(0), traced=False)

    def monotonic(self) -> float:
        """Return the time that nobody sets."""
        return self.loop.now

    # --- to be used ---------------------------------------------------------------------------

    @contextmanager
    def open(self) -> Iterator["World"]:
        """Build everything once, for any number of schedules."""
        told = self._unexpected
        with (
            warnings.catch_warnings(),
            running(self.loop),
            standing_in(self.loop, self.disks, self.numbers, told),
        ):
            # Of processes that were killed.
            warnings.filterwarnings("ignore", "coroutine .* was never awaited")
            self._build()
            gc.collect()
            gc.freeze()
            try:
                yield self
            finally:
                gc.unfreeze()

    def _build(self) -> None:
        url = self.installation.settings.url
        alone = partial(run_alone, self.loop, self.itself)
        with self.loop.within(self.itself):
            for creation in (
                Journal(url("journal")).create,
                PaymentLedger(url("payments")).create,
                StoreService(url("stores")).create,
                partial(create_tables, url("readmodel")),
            ):
                alone(creation())
            for disk in self.disks.each():
                disk.watched = self.mishaps
            for system in SYSTEMS:
                for service in (*SERVICES, SECOND_PROJECTOR):
                    role = role_of(service, system)
                    self.templates[role] = Template(maker_of(self, role)())
            self._client = Template(make_client(self, self._route))
        self.loop.forget()

    def run(
        self,
        plan: Plan,
        script: Script | None = None,
        *,
        traced: bool = False,
        points: bool = False,
    ) -> Outcome:
        """Run a schedule, and check everything after it.

        With a `script` nothing goes wrong but what stands in it and in the plan. `points`: note
        every point that is passed.
        """
        self._begin(
            plan, Chance(plan.seed, plan.rate, plan.most, script, plan.focus), traced=traced
        )
        if points:
            self.chance.points = []
        for disk in self.disks.each():
            disk.begin()
        try:
            self._people_and_processes(plan)
            self._go(plan)
            for name, detail in check(self):
                self.record.violated(name, detail)
            self.record.ended(self.clients.answers)
        finally:
            took_s = self.loop.now
            self._forget()
        return Outcome(
            plan,
            self.record.violations,
            self.chance.happened,
            self.record.states,
            took_s,
            self.record.ending,
            self.story.lines,
            self.chance.points,
        )

    def _begin(self, plan: Plan, chance: Chance, *, traced: bool) -> None:
        random.seed(plan.seed)
        self.chance = chance
        self.network.constant = plan.even
        self.story = Story(self.loop, wanted=traced)
        self.forgetful, self.slow_disk = plan.forgetful, plan.slow_disk
        self.record = Record(self)
        self.processes = Processes(self)
        self._busy_until = 0.0
        self.clock_was_set = False
        self.last_fault_at = 0.0
        self.numbers.begin()
        self.loop.failed = self._failed

    def _people_and_processes(self, plan: Plan) -> None:
        for system in SYSTEMS[: 1 + plan.two_systems]:
            for service in SERVICES:
                if service != PROJECTOR or not plan.view_late:
                    self.processes.start(role_of(service, system))
        people = Incarnation("clients", 1, self.processes.machines["A"])
        with self.loop.within(people):
            self.clients = Clients(self, self._client.copy())
            self.clients.begin(plan.steps)
        for happening in plan.happenings:
            self.surely_at(happening.at, self.mishaps.happen, happening)

    def _go(self, plan: Plan) -> None:
        loop, view_late = self.loop, plan.view_late
        while True:
            loop.run_ready()
            now = loop.now
            if now >= FAULTS_UNTIL_S:
                self.chance.over = True
            if now >= self._busy_until and not self.clients.at_work and self._rests():
                if self.record.folded == self.record.position:
                    return
                if view_late:
                    view_late = False
                    self.processes.start(role_of(PROJECTOR, self._route(PROJECTOR)[-1]))
                    continue
            if now > max(self._busy_until, self.last_fault_at) + HOUR_S:
                self.record.violated("not at rest within the hour", self._unrest())
                return
            if not loop.advance():
                self.record.violated("not at rest within the hour", "nothing will ever happen")
                return

    def _rests(self) -> bool:
        return not self.network.open and not self.record.open_orders

    def _unrest(self) -> str:
        named = ", ".join(map(self.named, self.record.open_orders))
        return (
            f"open: {named or 'no order'}; the view is at {self.record.folded} of"
            f" {self.record.position}; {len(self.network.open)} requests and"
            f" {self.clients.at_work} people wait"
        )

    def _forget(self) -> None:
        self.loop.forget()
        self.network.forget()
        self.provider.charges.clear()
        for nudges in self.nudges:
            nudges.under_way = False
        self._ran += 1
        if self._ran % TIDY_EVERY == 0:
            gc.collect()
        for disk in self.disks.each():
            disk.forget()

    # --- for what is in it ------------------------------------------------------------------------

    def surely_at(self, when: float, what: Callable[..., object], *args: Any) -> None:
        """Let something happen at a moment, before which the schedule does not end."""
        self._busy_until = max(self._busy_until, when)
        self.loop.at(when, self.itself, what, *args)

    def tell(self, words: str) -> None:
        """Write a line of the trace, where one is wanted."""
        self.story.tell(words)

    def tell_fault(self, whose: str, fault: Fault) -> None:
        """Write down that something goes wrong."""
        self.last_fault_at = self.loop.now
        self.story.tell(f"✗ {whose} {fault}")

    def named(self, order_id: str) -> str:
        """Return a short name of an order, or of a charge of one."""
        return self.story.named(order_id)

    def _route(self, service: str) -> str:
        return self.processes.route(service)

    def _failed(self, context: dict[str, Any]) -> None:
        self.record.surprised_by(context["exception"])

    def _unexpected(self, error: BaseException) -> None:
        if not self.loop.current.dead:
            self.record.surprised_by(error)
