"""kill -9 and SIGSTOP of one process of a kind."""

import asyncio
import random
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from cluster.chaos.fault import Begun, Do, Fault
from cluster.chaos.guard import Guard
from cluster.running.process_kinds import KINDS, Kind, of_kind

STOPPED_S = (1.0, 8.0)


def faults(folder: Path, guard: Guard, chance: random.Random) -> Iterator[Fault]:
    """Return what signals do to each kind of process of the system on a data folder."""
    for kind in KINDS:
        slug = kind.name.lower().replace("'s", "").replace(" ", "-")
        killed = _killed(folder, kind, chance)
        yield Fault(f"kill-{slug}", "kill -9", kind.name, killed, takes=kind.name)
        stopped = _stopped(folder, kind, guard, chance)
        yield Fault(f"stop-{slug}", "SIGSTOP", kind.name, stopped, STOPPED_S, kind.name)


def _killed(folder: Path, kind: Kind, chance: random.Random) -> Do:
    async def kill(_seconds: float, begun: Begun) -> None:
        victim = await asyncio.to_thread(_one, folder, kind, chance)
        if victim is not None:
            with suppress(psutil.Error):
                victim.send_signal(signal.SIGKILL)
                begun(f"process {victim.pid}")

    return kill


def _stopped(folder: Path, kind: Kind, guard: Guard, chance: random.Random) -> Do:
    async def stop(seconds: float, begun: Begun) -> None:
        victim = await asyncio.to_thread(_one, folder, kind, chance)
        if victim is not None:
            with suppress(psutil.Error), guard.stopped(victim):
                begun(f"process {victim.pid}")
                await asyncio.sleep(seconds)

    return stop


def _one(folder: Path, kind: Kind, chance: random.Random) -> psutil.Process | None:
    found = sorted(of_kind(folder, kind), key=lambda process: process.pid)
    return chance.choice(found) if found else None
