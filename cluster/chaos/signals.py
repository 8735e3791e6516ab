"""kill -9 and SIGSTOP of one process of a kind."""

import asyncio
import random
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from cluster.chaos.fault import Begun, Do, Fault
from cluster.chaos.guard import Guard
from cluster.running.process_kinds import GATEWAY, KINDS, Kind, of_kind

STOPPED_S = (1.0, 8.0)
ANSWERS_WITHIN_S = 1.0


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
    """Return one that may be taken away.

    None where there is none, or nobody would be left to answer clients: on a busy machine, a
    replica that was lost before takes long to be replaced.
    """
    found = sorted(of_kind(folder, kind), key=lambda process: process.pid)
    if kind.name == GATEWAY:
        found = [process for process in found if _answers(process)]
        if len(found) == 1:
            return None
    return chance.choice(found) if found else None


def _answers(process: psutil.Process) -> bool:
    """Return whether a replica answers by HTTP at one of the ports that it listens on."""
    with suppress(psutil.Error):
        ports = {
            each.laddr.port
            for each in process.net_connections("tcp")
            if each.status == psutil.CONN_LISTEN
        }
        return any(map(_is_healthy, ports))
    return False


def _is_healthy(port: int) -> bool:
    with suppress(httpx.HTTPError):
        url = f"http://127.0.0.1:{port}/-/healthz"
        return httpx.get(url, timeout=ANSWERS_WITHIN_S, trust_env=False).is_success
    return False
