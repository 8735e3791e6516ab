"""One schedule after the other: machines, processes, what goes wrong with them, and the end."""

import asyncio
import gc
import random
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from actors.installation import Installation
from actors.order.journal import Journal
from actors.payment.ledger import PaymentLedger
from actors.runtime.message_codec import unpack
from actors.store.service import StoreService
from cluster.simulation.chance import COMMIT, READ, Chance, Fault, Script, place
from cluster.simulation.clients import Clients
from cluster.simulation.invariants import check
from cluster.simulation.loop import Incarnation, Machine, SimulatedLoop, run_alone, running
from cluster.simulation.network import Network
from cluster.simulation.participants import (
    SECOND_PROJECTOR,
    SERVICES,
    SYSTEMS,
    make_client,
    maker_of,
    role_of,
    settings_of_simulation,
)
from cluster.simulation.plan import Happening, Plan
from cluster.simulation.ports import Port
from cluster.simulation.provider import ThirdParty
from cluster.simulation.record import Record, Violation
from cluster.simulation.standing_in import Numbers, standing_in
from cluster.simulation.storage import Disks
from cluster.simulation.template import Template
from readmodel.tables import create_tables

HOUR_S = 3600.0
FAULTS_UNTIL_S = 40.0
"""No fault of the network or of a database begins later."""
TIDY_EVERY = 64
"""Garbage is collected between schedules, so often."""
WRONG = sqlite3.OperationalError


@dataclass
class Outcome:
    """What became of a schedule. `faults`: what went wrong, as a script that repeats it."""

    plan: Plan
    violations: list[Violation]
    faults: Script
    states: set[int]
    took_s: float
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
        self.itself = Incarnation("world", 1, Machine("outside"))
        self.installation = Installation(
            settings_of_simulation(), b"a secret of 32 bytes, or so     ", 1
        )
        self.nudges: list[Any] = []
        self.registry: dict[str, Incarnation] = {}
        self.trace: list[str] | None = None
        self.chance = Chance(0)
        self.record = Record(self)
        self._templates: dict[str, Template[Any]] = {}
        self._ran = 0

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
                disk.watched = self
            for system in SYSTEMS:
                for service in (*SERVICES, SECOND_PROJECTOR):
                    role = role_of(service, system)
                    self._templates[role] = Template(maker_of(self, role)())
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
        self._begin(plan, Chance(plan.seed, plan.rate, plan.most, script), traced=traced)
        if points:
            self.chance.points = []
        try:
            self._go(plan)
            self._end()
        finally:
            took_s = self.loop.now
            self._forget()
        return Outcome(
            plan,
            self.record.violations,
            self.chance.happened,
            self.record.states,
            took_s,
            self.trace,
            self.chance.points,
        )

    def _begin(self, plan: Plan, chance: Chance, *, traced: bool) -> None:
        random.seed(plan.seed)
        self.chance = chance
        self.network.constant = plan.even
        self.trace = [] if traced else None
        self.record = Record(self)
        self.machines = {system: Machine(system) for system in SYSTEMS}
        self._lives: dict[str, int] = {}
        self.ended: set[str] = set()
        self._names: dict[str, str] = {}
        self._busy_until = 0.0
        self.clock_was_set = False
        self.last_fault_at = 0.0
        self.number_of_faults = 0
        self.numbers.begin()
        self.loop.failed = self._failed
        for disk in self.disks.each():
            disk.begin()

    def _go(self, plan: Plan) -> None:
        for service in SERVICES:
            self.start(role_of(service, "A"))
        if plan.two_systems:
            for service in SERVICES:
                self.start(role_of(service, "B"))
        self._lives["clients"] = 1
        people = Incarnation("clients", 1, self.machines["A"])
        with self.loop.within(people):
            self.clients = Clients(self, self._client.copy())
            self.clients.begin(plan.steps)
        for happening in plan.happenings:
            self.expect(self.loop.at(happening.at, self.itself, self._happen, happening))
        loop = self.loop
        while True:
            loop.run_ready()
            now = loop.now
            if now >= FAULTS_UNTIL_S:
                self.chance.over = True
            if now >= self._busy_until and not self.clients.at_work and self._rests():
                return
            if now > max(self._busy_until, self.last_fault_at) + HOUR_S:
                self.record.violated("not at rest within the hour", self._unrest())
                return
            if not loop.advance():
                self.record.violated("not at rest within the hour", "nothing will ever happen")
                return

    def _rests(self) -> bool:
        if self.network.open:
            return False
        if self.disks["journal"].rows("SELECT 1 FROM open_orders LIMIT 1"):
            return False
        folded = self.disks["readmodel"].rows("SELECT position FROM checkpoint")[0][0]
        return bool(folded == self.record.position)

    def _unrest(self) -> str:
        open_orders = self.disks["journal"].rows("SELECT order_id FROM open_orders")
        named = ", ".join(self.named(row[0]) for row in open_orders)
        folded = self.disks["readmodel"].rows("SELECT position FROM checkpoint")[0][0]
        return (
            f"open: {named or 'no order'}; the view is at {folded} of {self.record.position};"
            f" {len(self.network.open)} requests and {self.clients.at_work} people wait"
        )

    def _end(self) -> None:
        for name, detail in check(self):
            self.record.violated(name, detail)

    def _forget(self) -> None:
        self.loop.forget()
        self.network.forget()
        self.registry.clear()
        self.provider.charges.clear()
        for nudges in self.nudges:
            nudges.under_way = False
        self._ran += 1
        if self._ran % TIDY_EVERY == 0:
            gc.collect()
        for disk in self.disks.each():
            disk.forget()

    # --- processes ------------------------------------------------------------------------------

    def start(self, role: str) -> None:
        """Begin a process's next life."""
        system = role[-1]
        number = self._lives[role] = self._lives.get(role, 0) + 1
        incarnation = Incarnation(role, number, self.machines[system])
        self.registry[role] = incarnation
        if number > 1 or self.loop.now:
            self.tell(f"{incarnation} begins")
        with self.loop.within(incarnation):
            incarnation.service = self._templates[role].copy()
            incarnation.service.start()
        self.network.arrived(role)

    def kill(self, victim: Incarnation, bits: int) -> None:
        """End a process as kill -9 does; its successor begins a moment later."""
        if victim.dead:
            return
        victim.dead = True
        if self.registry.get(victim.role) is victim and victim.role not in self.ended:
            when = self.loop.now + 0.05 + (bits >> 36 & 0xFF) / 80
            self.expect(self.loop.at(when, self.itself, self._succeed, victim))
        self.network.lost(victim)

    def stop(self, victim: Incarnation, bits: int) -> None:
        """Stop a process. Its successor begins beside it, unless it goes on before."""
        if victim.dead or victim.held is not None:
            return
        victim.held = []
        now = victim.stopped_at = self.loop.now
        on_at, next_at = now + 0.2 + (bits >> 30 & 0xFF) / 20, now + 2.0 + (bits >> 44 & 0xFF) / 80
        self.expect(self.loop.at(on_at, self.itself, self._go_on, victim))
        self.expect(self.loop.at(next_at, self.itself, self._succeed, victim))

    def _succeed(self, former: Incarnation) -> None:
        stands = self.registry.get(former.role) is former and former.role not in self.ended
        if stands and (former.dead or former.held is not None):
            self.start(former.role)
            if not former.dead:
                self.network.lost(former)

    def _go_on(self, victim: Incarnation) -> None:
        if not victim.dead and victim.held is not None:
            beside = self.registry.get(victim.role)
            zombie = "" if beside is victim else f", beside {beside}: a zombie"
            self.tell(f"{victim} goes on{zombie}")
            self.loop.go_on(victim)

    def standing(self) -> tuple[tuple[str, int], ...]:
        """Return who is there, and who has been stopped: a part of the state."""
        return tuple(
            (each.role, each.dead + 2 * (each.held is not None)) for each in self.registry.values()
        )

    def _route(self, service: str) -> str:
        first = self.registry.get(role_of(service, "B"))
        if first is None or role_of(service, "B") in self.ended:
            return role_of(service, "A")
        if role_of(service, "A") in self.ended:
            return role_of(service, "B")
        return role_of(service, SYSTEMS[self.numbers.next() % 2])

    # --- what goes wrong ------------------------------------------------------------------------

    def expect(self, handle: Any) -> None:
        """Let the schedule last until something has happened."""
        self._busy_until = max(self._busy_until, handle.when)

    async def before_write(self, service: str) -> Callable[[], None]:
        """See `Watched`."""
        who = self.loop.current
        if who.dead:
            await self.loop.create_future()
        if who is self.itself:
            return _nothing
        fault, bits = self.chance.draw(place(f"{who.role}: commit of {service}", COMMIT))
        if fault is None:
            return _nothing
        self.tell_fault(f"{who}, for {service},", fault)
        return await self._suffer(who, fault, bits)

    async def _suffer(self, who: Incarnation, fault: Fault, bits: int) -> Callable[[], None]:
        """Do to a commit what goes wrong before it; return what does after it."""
        match fault:
            case Fault.CRASH_BEFORE:
                self.kill(who, bits)
                await self.loop.create_future()
            case Fault.REFUSED:
                raise WRONG("disk I/O error")
            case Fault.SLOW:
                await asyncio.sleep((bits >> 32 & 0xFF) / 100)
            case Fault.STOPPED_BEFORE:
                self.stop(who, bits)
                await asyncio.sleep(0)
            case Fault.CRASH_AFTER:
                return partial(self.kill, who, bits)
            case Fault.STOPPED_AFTER:
                return partial(self.stop, who, bits)
            case Fault.UNANSWERED:
                return _unanswered
        return _nothing

    def before_read(self, service: str) -> None:
        """See `Watched`."""
        who = self.loop.current
        if who is self.itself or who.dead:
            return
        fault, _ = self.chance.draw(place(f"{who.role}: read of {service}", READ))
        if fault is not None:
            self.tell_fault(f"{who}, reading {service},", fault)
            raise WRONG("disk I/O error")

    def committed(self, service: str) -> None:
        """See `Watched`."""
        self.record.committed(service)

    def _happen(self, happening: Happening) -> None:
        system, fault = happening.system, happening.fault
        machine = self.machines[system]
        match fault:
            case Fault.CLOCK_FORWARD | Fault.CLOCK_BACK:
                self.tell_fault(f"machine {system} ({happening.after:+.0f} s)", fault)
                machine.ahead_s += happening.after
                self.clock_was_set = True
            case Fault.SECOND_PROJECTOR:
                self.tell_fault(f"system {system}", fault)
                self.start(role_of(SECOND_PROJECTOR, system))
            case Fault.ENDS:
                self.tell_fault(f"system {system}", fault)
                self.ended |= {
                    role_of(service, system) for service in (*SERVICES, SECOND_PROJECTOR)
                }
                self._kill_all(system)
            case Fault.KILLED:
                self.tell_fault(f"all of system {system}", fault)
                self._kill_all(system)

    def _kill_all(self, system: str) -> None:
        for role, incarnation in list(self.registry.items()):
            if role.endswith(system):
                self.kill(incarnation, self.chance.seed)

    # --- what is told ---------------------------------------------------------------------------

    def tell(self, words: str) -> None:
        """Write a line of the trace, where one is wanted."""
        if self.trace is not None:
            self.trace.append(f"{self.loop.now:9.3f} s  {words}")

    def tell_fault(self, whose: str, fault: Fault) -> None:
        """Write down that something goes wrong."""
        self.last_fault_at = self.loop.now
        self.number_of_faults += 1
        self.tell(f"✗ {whose} {fault}")

    def named(self, order_id: str) -> str:
        """Return a short name of an order, or of a charge of one."""
        order_id, _, attempt = order_id.partition(":")
        name = self._names.setdefault(order_id, f"order {len(self._names) + 1}")
        return f"{name}, attempt {attempt}" if attempt else name

    def described(self, data: bytes) -> str:
        """Return what a message says, in a few words."""
        message = unpack(data)
        if isinstance(message, Exception):
            return f"{type(message).__name__} {getattr(message, 'code', '')}"
        if hasattr(message, "command"):
            kind, _ = msgspec.msgpack.decode(message.command, type=tuple[str, Any])
            return f" {kind} of {self.named(message.order_id)}"
        if hasattr(message, "order_status"):
            return f"{message.order_status}, version {message.version}"
        if hasattr(message, "order_id"):
            return f" of {self.named(message.order_id)}"
        return str(getattr(message, "status", ""))

    def _failed(self, context: dict[str, Any]) -> None:
        self.record.surprised_by(context["exception"])

    def _unexpected(self, error: BaseException) -> None:
        if not self.loop.current.dead:
            self.record.surprised_by(error)


def _nothing() -> None:
    pass


def _unanswered() -> None:
    raise WRONG("disk I/O error")
