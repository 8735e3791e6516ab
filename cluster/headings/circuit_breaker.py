"""Circuit breaker: what everybody else notices while the payment provider has an incident."""

import asyncio
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from functools import partial
from itertools import cycle, islice
from typing import Any

from actors.contracts.errors import SirenError
from actors.payment.incidents import Incident
from actors.runtime.clock import to_micros, utc_now
from cluster.headings.load import Labelled, Request, Result, http_request, percentile, run
from cluster.headings.own_system import OwnSystem
from cluster.headings.record import Heading, Outcome, all_of, at_least, at_most
from cluster.headings.target import Target
from cluster.headings.workloads import STORES, placed, placed_paid_accepted

CONNECTIONS = 100
NORMAL_S = 10.0
INCIDENT_S = 30.0
SETTLED_S = 60.0
"""How long after an incident the last order of it must be settled."""
DEAD_CARDS = 10
FEW = 4
GIVE_UP_S = 240.0
LOOK_S = 0.25
FOUND = 200
CLOSED_S = 60.0
INTAKE, BOARD, DETAILS = "intake", "board", "details"
READ_EVERY = 10
"""One request in so many reads, turn by turn a board and an order's details."""
SHOWN = {"open": re.compile(r"\bcircuit open"), "closed": re.compile(r"\bcircuit closed")}


def intake_and_reads(order_id: str, **headers: str) -> Iterator[Request]:
    """Orders, answered once they are durable, and reads of a board and of a known order."""
    board = http_request("GET", f"/pickups?store_id={STORES[0]}&limit=20")
    details = http_request("GET", f"/order-details/{order_id}")
    reads = cycle((Labelled(board, 200, b'"items"', BOARD), Labelled(details, 200, b"", DETAILS)))
    for number, request in enumerate(placed_paid_accepted(**headers)):
        yield Labelled(*request[:2], b'"order_id"', INTAKE)
        if number % READ_EVERY == 0:
            yield next(reads)


class _Incidents:
    """Has incidents on one system, and compares each with how it is without one."""

    def __init__(self, target: Target, system: OwnSystem, order_id: str) -> None:
        self._target = target
        self._system = system
        self._order_id = order_id

    async def normal(self, **headers: str) -> Result:
        """Load the system while nothing is wrong."""
        self._target.say(f"nothing is wrong, {CONNECTIONS} connections")
        seen = await self._load(self._target.seconds(NORMAL_S), headers)
        await _all_settled(self._system)
        return seen

    async def _load(self, seconds: float, headers: dict[str, str]) -> Result:
        workload = partial(intake_and_reads, self._order_id, **headers)
        return await self._system.load(workload, CONNECTIONS, seconds)

    async def through(
        self, incident: Incident, usual_s: float, normal: Result, **headers: str
    ) -> Outcome:
        """Have an incident, load the system meanwhile, and wait until all is well again."""
        system, seconds = self._system, self._target.seconds(usual_s)
        opens = incident is not Incident.SLOW
        self._target.say(f"the provider is {incident} for {seconds:.0f} s")
        before = _placed(system)
        _begin(system, incident, seconds)
        load = asyncio.create_task(self._load(seconds, headers))
        opened = opens and await _shows(system, "open", until=load)
        seen = await load
        _end(system)
        self._target.say(f"the provider is well again; {_open(system):,} orders wait for it")
        settled_s = await _all_settled(system)
        over = asyncio.create_task(asyncio.sleep(CLOSED_S))
        closed = await _shows(system, "closed", until=over)
        over.cancel()
        lost = max(0, len(seen.by_kind[INTAKE]) - (_placed(system) - before))
        return _outcome(
            f"provider {incident} for {seconds:.0f} s, {CONNECTIONS} connections",
            seen,
            normal,
            lost=lost,
            settled_s=settled_s,
            circuit_is_right=opened == opens and closed,
            memory_mb=sum(p.memory_info().rss for p in system.processes("ray::")) / 2**20,
        )


def _outcome(
    done: str,
    seen: Result,
    normal: Result,
    *,
    lost: int,
    settled_s: float,
    circuit_is_right: bool,
    memory_mb: float,
) -> Outcome:
    answered = seen.requests / max(1, seen.requests + seen.lost)
    slower = _ratio(seen, normal, INTAKE)
    reads = max(_ratio(seen, normal, BOARD), _ratio(seen, normal, DETAILS))
    p99 = {f"{kind}_p99_ms": _p99(seen, kind) for kind in (INTAKE, BOARD, DETAILS)}
    usual = {f"normal_{kind}_p99_ms": _p99(normal, kind) for kind in (INTAKE, BOARD, DETAILS)}
    return Outcome(
        done,
        f"{answered:.2%} of {seen.requests:,} answered, {lost} lost, all settled {settled_s:.0f} s "
        f"after; p99 of intake {p99['intake_p99_ms']:.0f} ms, {slower:.1f}× of normal, of reads "
        f"{reads:.1f}×; the circuit {'did as it must' if circuit_is_right else 'did not'}",
        all_of(
            at_most(len(seen.errors) + lost, 0),
            at_most(settled_s, SETTLED_S),
            at_most(slower, 3, 1.5),
            at_most(reads, 3, 1.5),
            at_least(circuit_is_right, 1),
        ),
        {
            "answered": answered,
            "requests": seen.requests,
            "lost": lost,
            "settled_s": settled_s,
            **p99,
            **usual,
            "memory_mb": memory_mb,
        },
        seen.errors,
    )


async def _measure(target: Target) -> AsyncIterator[Outcome]:
    async with target.own() as system:
        incidents = _Incidents(target, system, await _known_order(system))
        normal = await incidents.normal()
        yield await incidents.through(Incident.STALLED, INCIDENT_S, normal)
        yield await incidents.through(Incident.FAILING, INCIDENT_S, normal)
        yield await incidents.through(Incident.LYING, INCIDENT_S, normal)
        # Who waits for a payment that takes two seconds waits two seconds: they do not wait.
        at_once = await incidents.normal(Prefer="respond-async")
        yield await incidents.through(Incident.SLOW, INCIDENT_S, at_once, Prefer="respond-async")
        yield await _beside_dead_cards(target, system)
        audit = await system.siren("verify")
        yield Outcome(
            "`siren verify` after all of them",
            (audit.out or audit.err).strip().rpartition("\n")[2],
            at_most(audit.code, 0),
            {"exit_code": audit.code},
            audit.out.splitlines() if audit.code else (),
        )


async def _beside_dead_cards(target: Target, system: OwnSystem) -> Outcome:
    """Order with good cards, few at a time, while some orders' cards fail for ever."""
    target.say(f"{DEAD_CARDS} orders with dead cards, good ones beside them")
    dead = islice(placed_paid_accepted("tok_unavailable", Prefer="respond-async"), DEAD_CARDS)
    asked = iter([Labelled(data, status, b'"order_id"') for data, status, *_ in dead])
    await run(system.port, asked, DEAD_CARDS, 5, lead=0)
    good = partial(placed_paid_accepted, Prefer="wait=20")
    seen = await system.load(good, FEW, target.seconds(NORMAL_S))
    p99 = percentile(seen.latencies, 99)
    return Outcome(
        f"{DEAD_CARDS} orders with a dead card beside good cards, {FEW} at a time",
        f"{len(seen.latencies):,} good ones, {len(seen.errors)} not accepted, p99 {p99:.0f} ms",
        all_of(at_most(len(seen.errors), 0), at_most(p99, 10_000, 1_000)),
        {"good": len(seen.latencies), "failed": len(seen.errors), "good_p99_ms": p99},
        seen.errors,
    )


async def _known_order(system: OwnSystem) -> str:
    """Place an order, and return its id once the view shows it."""
    learnt: list[str] = []
    await run(system.port, placed(1, learnt.append), 1, 5, lead=0)
    async with asyncio.timeout(30):
        while (await system.ask("GET", f"/order-details/{learnt[0]}")).status != FOUND:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
    return learnt[0]


def _p99(result: Result, kind: str) -> float:
    return percentile(result.by_kind[kind], 99)


def _ratio(seen: Result, normal: Result, kind: str) -> float:
    return _p99(seen, kind) / _p99(normal, kind)


def _begin(system: OwnSystem, incident: Incident, seconds: float) -> None:
    until = to_micros(utc_now()) + int(seconds * 1_000_000)
    _write(system, "INSERT OR REPLACE INTO incidents VALUES (?, ?)", incident, until)


def _end(system: OwnSystem) -> None:
    _write(system, "DELETE FROM incidents")


def _write(system: OwnSystem, statement: str, *parameters: object) -> None:
    """Write into the books of the simulated provider: a third party's, not the system's."""
    with closing(sqlite3.connect(system.folder / "provider.db", timeout=10)) as database, database:
        database.execute(statement, parameters)


def _placed(system: OwnSystem) -> int:
    return int(system.sql("journal", "SELECT count(*) FROM order_keys")[0][0])


def _open(system: OwnSystem) -> int:
    """Count the orders with a charge outstanding; unpaid ones wait for their customers."""
    query = "SELECT count(*) FROM open_orders WHERE due_at <= ?"
    return int(system.sql("journal", query, to_micros(utc_now()))[0][0])


async def _all_settled(system: OwnSystem) -> float:
    """Return after how many seconds no order waits any more; raises `SirenError` if never."""
    began = time.monotonic()
    while waiting := _open(system):
        if time.monotonic() - began > GIVE_UP_S:
            raise SirenError("not_settled", f"{waiting} orders wait after {GIVE_UP_S:.0f} s")
        await asyncio.sleep(LOOK_S)
    return time.monotonic() - began


async def _shows(system: OwnSystem, state: str, until: asyncio.Task[Any]) -> bool:
    """Ask `siren status` until it tells that the circuit of charges is open, or closed."""
    while not until.done():
        status = await system.siren("status")
        if SHOWN[state].search(status.out):
            return True
    return False


HEADING = Heading("circuit breaker", "97 % answered at 100 connections", _measure, limit_s=900)
