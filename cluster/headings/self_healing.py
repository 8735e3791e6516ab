"""Self-healing: each kind of process is killed, stopped, and hangs, while customers go on."""

import asyncio
import os
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from actors.contracts.errors import SirenError
from cluster.headings.own_system import OwnSystem
from cluster.headings.record import Heading, Outcome, all_of, at_most
from cluster.headings.target import Target
from cluster.running.environment import exports
from cluster.running.haproxy_wrapper import LAST_GOOD
from cluster.running.process_kinds import GATEWAY, KINDS, Kind, of_kind

READ_S = 2.0
"""For so long a reader asks again, as browsers do, until a read counts as unanswered."""
PAUSE_S = 0.02
ORDER_S = 1.5
SETTLED_S = 75.0
WHOLE_S = 90.0
CALM_S = 1.0
Blow = Callable[[OwnSystem, Kind], Awaitable[None]]


@dataclass
class Reads:
    """What a reader saw: reads answered, those asked again, and those without any answer."""

    answered: int = 0
    repeated: int = 0
    unanswered: list[str] = field(default_factory=list)


@dataclass
class Wounds:
    """What one kind of blow did to each kind of process."""

    settled_s: dict[str, float] = field(default_factory=dict)
    reads: Reads = field(default_factory=Reads)
    repeated: dict[str, int] = field(default_factory=dict)

    @property
    def slowest(self) -> str:
        """The kind after whose hurt it took longest until an order settled."""
        return max(self.settled_s, key=self.settled_s.__getitem__)


async def _measure(target: Target) -> AsyncIterator[Outcome]:
    async with target.own(gateway_min_replicas=2) as system:
        for what, blow, kinds, must, aim in (
            ("killed (kill -9)", _signalled(signal.SIGKILL), KINDS, 5.0, 3.0),
            ("stopped (SIGSTOP)", _signalled(signal.SIGSTOP), KINDS, 15.0, 10.0),
            ("hanging, its event loop still", _stalled, _with_actors(), 15.0, 10.0),
        ):
            wounds = Wounds()
            for kind in kinds:
                target.say(f"{kind.name}: {what}")
                await _hurt(system, kind, blow, wounds)
            yield told(what, wounds, must, aim)


def _with_actors() -> tuple[Kind, ...]:
    return tuple(kind for kind in KINDS if kind.actor is not None)


def told(what: str, wounds: Wounds, must: float, aim: float) -> Outcome:
    """Return what one kind of blow did, judged by the slowest kind and by the reads."""
    worst = wounds.settled_s[wounds.slowest]
    reads = wounds.reads
    each = ", ".join(f"{name} {seconds:.1f}" for name, seconds in wounds.settled_s.items())
    again = ", ".join(f"{name} {count}" for name, count in wounds.repeated.items() if count)
    figure = (
        f"an order settles again after {each} s; {len(reads.unanswered)} of {reads.answered:,} "
        f"reads unanswered, asked again: {again or 'none'}"
    )
    return Outcome(
        f"each kind of process {what}, two replicas",
        figure,
        all_of(at_most(worst, must, aim), at_most(len(reads.unanswered), 0)),
        {
            **{f"{name} (s)": seconds for name, seconds in wounds.settled_s.items()},
            **{f"{name} (reads repeated)": count for name, count in wounds.repeated.items()},
            "reads": reads.answered,
            "reads_unanswered": len(reads.unanswered),
        },
        reads.unanswered,
    )


async def _hurt(system: OwnSystem, kind: Kind, blow: Blow, wounds: Wounds) -> None:
    order_id = await _settled_order(system)
    before = _of(system, kind)
    repeated = wounds.reads.repeated
    async with _reading(system, order_id, wounds.reads):
        await asyncio.sleep(CALM_S)
        await blow(system, kind)
        began = time.monotonic()
        await _settled_order(system)
        wounds.settled_s[kind.name] = time.monotonic() - began
        await _until_whole(system, kind, before)
    wounds.repeated[kind.name] = wounds.reads.repeated - repeated


def _of(system: OwnSystem, kind: Kind) -> set[int]:
    """Return the processes of a kind that are there now."""
    return {process.pid for process in of_kind(system.folder, kind)}


async def _until_whole(system: OwnSystem, kind: Kind, before: set[int]) -> None:
    """Wait until all that were there are back, another in the place of the one that was hurt."""
    async with asyncio.timeout(WHOLE_S):
        while len(now := _of(system, kind)) < len(before) or now == before:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await asyncio.sleep(CALM_S)


def _signalled(number: signal.Signals) -> Blow:
    async def blow(system: OwnSystem, kind: Kind) -> None:
        for pid in sorted(_of(system, kind))[:1]:
            psutil.Process(pid).send_signal(number)

    return blow


async def _stalled(system: OwnSystem, kind: Kind) -> None:
    assert kind.actor is not None
    actor = _asked_first(system) if kind.name == GATEWAY else kind.actor
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cluster.headings.stalled_loop", actor),
        env=os.environ | exports(str(system.holder["ray"]), system.folder),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await process.communicate()
    if process.returncode:
        raise SirenError("no_stall", f"{kind.name} cannot be stalled: {told.decode()[-300:]}")


def _asked_first(system: OwnSystem) -> str:
    """Return what Ray calls the replica that HAProxy prefers: few miss another one."""
    config = next(Path(system.holder["run"]).rglob(LAST_GOOD)).read_text()
    name = config.partition("use-server ")[2].split()[0]
    return name.replace("_siren-", "::siren#").replace("-", "#")


async def _settled_order(system: OwnSystem) -> str:
    """Place an order, ask again until it is accepted and the view shows it; return its id."""
    key, body = uuid.uuid4().hex, _order()
    async with asyncio.timeout(SETTLED_S):
        while True:
            with suppress(OSError, ValueError, TimeoutError):
                async with asyncio.timeout(ORDER_S):
                    said = {"Idempotency_Key": key, "Prefer": "wait=1"}
                    placed = await system.ask("POST", "/orders", body, **said)
                    order_id = str(placed.body.get("order_id"))
                    shown = await system.ask("GET", f"/order-details/{order_id}")
                    if (
                        placed.body.get("order_status")
                        == "ACCEPTED"
                        == shown.body.get("order_status")
                    ):
                        return order_id
            await asyncio.sleep(PAUSE_S)


def _order() -> dict[str, object]:
    return {
        "customer": {"id": "healing", "name": "Healing", "tel": "010-0000-0000"},
        "store_id": "gangnam",
        "items": [{"menu_id": "americano", "quantity": 1}],
        "payment": {"method": "card", "token": "tok_approve"},
    }


@asynccontextmanager
async def _reading(system: OwnSystem, order_id: str, reads: Reads) -> AsyncIterator[None]:
    """Let somebody read an order again and again while the block lasts."""
    over = False

    async def read() -> None:
        while not over:
            await _read(system, f"/order-details/{order_id}", reads)
            await asyncio.sleep(PAUSE_S)

    reader = asyncio.create_task(read())
    try:
        yield
    finally:
        over = True
        await reader


async def _read(system: OwnSystem, path: str, reads: Reads) -> None:
    deadline = time.monotonic() + READ_S
    tries, last = 0, ""
    while time.monotonic() < deadline:
        tries += 1
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                status = (await system.ask("GET", path)).status
        except (OSError, ValueError, TimeoutError) as error:
            last = repr(error)
        else:
            if status == 200:  # noqa: PLR2004
                reads.answered += 1
                reads.repeated += tries > 1
                return
            last = f"GET {path}: {status}"
        await asyncio.sleep(PAUSE_S)
    reads.unanswered.append(last)


HEADING = Heading("self-healing", '"restarted", no time', _measure, limit_s=1200)
