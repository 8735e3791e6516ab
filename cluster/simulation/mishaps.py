"""What goes wrong with commits and reads, and with machines and systems at a moment."""

import asyncio
import sqlite3
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING

from cluster.simulation.chance import COMMIT, READ, Fault, place
from cluster.simulation.loop import Incarnation
from cluster.simulation.participants import SECOND_PROJECTOR, role_of
from cluster.simulation.plan import Happening
from cluster.simulation.storage import After

if TYPE_CHECKING:
    from cluster.simulation.world import World

WRONG = sqlite3.OperationalError


class Mishaps:
    """Asks the schedule's chance wherever something may go wrong; see `Watched`."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def before_write(self, service: str) -> Awaitable[After] | None:
        """See `Watched`."""
        world = self._world
        who = world.loop.current
        if who.dead:
            return world.loop.create_future()
        if who is world.itself:
            return None
        fault, bits = world.chance.draw(place(f"{who.role}: commit of {service}", COMMIT))
        if fault is None:
            return _in_time(bits) if world.slow_disk else None
        world.tell_fault(f"{who}, for {service},", fault)
        return self._suffer(who, fault, bits)

    async def _suffer(self, who: Incarnation, fault: Fault, bits: int) -> After:
        """Do to a commit what goes wrong before it; return what does after it."""
        processes = self._world.processes
        match fault:
            case Fault.CRASH_BEFORE:
                processes.kill(who, bits)
                await self._world.loop.create_future()
            case Fault.REFUSED:
                raise WRONG("disk I/O error")
            case Fault.SLOW:
                await asyncio.sleep((bits >> 32 & 0xFF) / 100)
            case Fault.STOPPED_BEFORE:
                processes.stop(who, bits)
                await asyncio.sleep(0)
            case Fault.CRASH_AFTER:
                return partial(processes.kill, who, bits)
            case Fault.STOPPED_AFTER:
                return partial(processes.stop, who, bits)
            case Fault.UNANSWERED:
                return _unanswered
        return None

    def before_read(self, service: str) -> None:
        """See `Watched`."""
        world = self._world
        who = world.loop.current
        if who is world.itself or who.dead:
            return
        fault, _ = world.chance.draw(place(f"{who.role}: read of {service}", READ))
        if fault is not None:
            world.tell_fault(f"{who}, reading {service},", fault)
            raise WRONG("disk I/O error")

    def committed(self, service: str) -> None:
        """See `Watched`."""
        self._world.record.committed(service)

    def happen(self, happening: Happening) -> None:
        """Let something happen to a machine or a system."""
        world, system, fault = self._world, happening.system, happening.fault
        processes = world.processes
        match fault:
            case Fault.CLOCK_FORWARD | Fault.CLOCK_BACK:
                world.tell_fault(f"machine {system} ({happening.after:+.0f} s)", fault)
                processes.machines[system].ahead_s += happening.after
                world.clock_was_set = True
            case Fault.SECOND_PROJECTOR:
                world.tell_fault(f"system {system}", fault)
                processes.start(role_of(SECOND_PROJECTOR, system))
            case Fault.ENDS:
                world.tell_fault(f"system {system}", fault)
                processes.end(system, world.chance.seed)
            case Fault.KILLED:
                world.tell_fault(f"all of system {system}", fault)
                processes.kill_all(system, world.chance.seed)


async def _in_time(bits: int) -> None:
    await asyncio.sleep((bits >> 24 & 0xFF) / 4000)


def _unanswered() -> None:
    raise WRONG("disk I/O error")
