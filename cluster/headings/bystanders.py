"""Somebody orders while others take all that they can get: nobody starves."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from functools import partial

from actors.settings import Settings
from cluster.headings.flood import Flood, flood
from cluster.headings.hogs import Hogs, idle_streams, slow_bodies
from cluster.headings.load import Labelled, Request, load_in_own_process, percentile
from cluster.headings.own_system import OwnSystem
from cluster.headings.record import Outcome, Verdict, all_of, at_most
from cluster.headings.site import Site
from cluster.headings.target import Target
from cluster.headings.workloads import ACCEPTED, LONG_WAIT, place_request
from cluster.running.token_secret import read_secret
from serve_app.contract.identity import Identity, Role
from serve_app.security.tokens import issue

STREAMS = 10_000
BODIES = 1_000
CONNECTIONS = 200
"""Of one customer, or of one store's customers."""
SECONDS = 10.0
PEOPLE = 50
COMING = 20.0
"""Orders a second of those beside them."""
P99_MUST_MS, P99_AIM_MS = 2000.0, 500.0
LIFE = timedelta(hours=1)
ORDINARY, CROWDED = "jeju", "pangyo"


async def beside_hogs(target: Target, system: OwnSystem) -> AsyncIterator[Outcome]:
    """Order at one store beside each kind of them; yields a row for each.

    The system wants a token of everybody, so that it can tell one customer from another.
    """
    secret = read_secret(Settings(data_dir=system.folder))
    people = [_token(secret, f"person-{number}") for number in range(PEOPLE)]
    streams = target.requests(STREAMS)
    order_id = await _unpaid(system)
    greedy = partial(orders_of, ["greedy"], [_token(secret, "greedy")], CROWDED)
    crowd = partial(orders_at, CROWDED, str(system.token))
    hogs: tuple[tuple[str, AbstractAsyncContextManager[Hogs | None]], ...] = (
        ("nobody", _loading(system, None)),
        (f"one customer on {CONNECTIONS} connections", _loading(system, greedy)),
        (f"{CONNECTIONS} customers of another store", _loading(system, crowd)),
        (f"{BODIES:,} bodies that come by a byte a second", slow_bodies(system, BODIES)),
        (f"{streams:,} idle streams", idle_streams(system, order_id, streams)),
    )
    for name, coming in hogs:
        target.say(f"orders beside {name}")
        async with coming as there:
            names = [f"person-{number}" for number in range(PEOPLE)]
            orders = orders_of(names, people, ORDINARY)
            seen = await flood(system.port, orders, COMING, target.seconds(SECONDS))
            yield _outcome(name, seen, there)


def _outcome(name: str, seen: Flood, hogs: Hogs | None) -> Outcome:
    p99 = percentile(seen.took, 99)
    failed = len(seen.wrong) + seen.refused
    told = "" if hogs is None else _told(hogs)
    return Outcome(
        f"orders beside {name}{told}",
        f"p50 {percentile(seen.took, 50):,.0f} ms, p99 {p99:,.0f} ms, "
        f"{failed} of {seen.sent} failed",
        all_of(
            at_most(p99, P99_MUST_MS, P99_AIM_MS),
            at_most(failed + (0 if hogs is None else hogs.impolite), 0),
            Verdict.AIM if seen.took else Verdict.MISSED,
        ),
        {"p99_ms": p99, "failed": failed, "orders": len(seen.took)},
        seen.wrong,
    )


def _told(hogs: Hogs) -> str:
    answers = ", ".join(f"{count:,} × {status}" for status, count in sorted(hogs.statuses.items()))
    return f" ({len(hogs.here):,} connected{answers and f', answered {answers}'})"


@asynccontextmanager
async def _loading(
    system: Site, workload: partial[Iterator[Request]] | None
) -> AsyncIterator[None]:
    """Let a crowd order while the block lasts."""
    if workload is None:
        yield
        return
    load = load_in_own_process(system.port, workload, CONNECTIONS, 600.0, reopen=True)
    loading = asyncio.create_task(load)
    await asyncio.sleep(2.0)
    try:
        yield
    finally:
        loading.cancel()
        await asyncio.wait([loading])


def orders_of(names: list[str], tokens: list[str], store: str) -> Iterator[Request]:
    """Return orders of customers in turn, each with their own token."""
    run = uuid.uuid4().hex[:8]
    people = itertools.cycle(zip(names, tokens, strict=True))
    for number, (name, token) in enumerate(people):
        shown = {"Authorization": f"Bearer {token}", "Prefer": LONG_WAIT}
        data = place_request(name, store, "tok_approve", f"{run}-{number}", **shown)
        yield Labelled(data, 201, ACCEPTED)


def orders_at(store: str, token: str) -> Iterator[Request]:
    """Return orders of many customers at one store, which a service sends."""
    names = [f"c-{number}" for number in range(PEOPLE)]
    return orders_of(names, [token] * PEOPLE, store)


def _token(secret: bytes, name: str) -> str:
    return issue(secret, Identity(name, Role.CUSTOMER), LIFE)[0]


async def _unpaid(system: Site) -> str:
    """Place an order that nothing happens to, and return its id."""
    body = {
        "customer": {"id": "c-1", "name": "Load", "tel": "010-0000-0000"},
        "store_id": ORDINARY,
        "items": [{"menu_id": "americano", "quantity": 1}],
    }
    return str((await system.ask("POST", "/orders", body)).body["order_id"])
