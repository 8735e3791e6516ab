"""What the simulated provider does to everybody while its books name an incident.

It stands for what happens to real ones: to see what becomes of the rest of the system then, write a
row into its `incidents`.
"""

import asyncio
from enum import StrEnum
from itertools import count
from typing import Any

from msgspec.structs import replace
from sqlalchemy import select

from actors.contracts.errors import Unavailable
from actors.payment.provider_tables import incidents
from actors.runtime.clock import to_micros, utc_now
from actors.runtime.database import Database

LOOK_S = 0.5
"""How long after its beginning, or its end, an incident is noticed at most, under load."""
SLOW_S = 2.0


class Incident(StrEnum):
    """What ails the provider as a whole."""

    STALLED = "stalled"
    """It takes requests and answers none until it is over."""
    SLOW = "slow"
    """It answers right, after `SLOW_S`."""
    FAILING = "failing"
    """It refuses all requests at once."""
    LYING = "lying"
    """It charges right and answers wrong: another amount, the opposite, or nothing readable."""


KINDS = frozenset(Incident)


class Incidents:
    """Follows the table; costs nothing while nobody asks, and a read every `LOOK_S` otherwise."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._query = database.prepare(select(incidents.c.kind, incidents.c.until))
        self._current: Incident | None = None
        self._over = asyncio.Event()
        self._look_at = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._lies = count()

    def current(self) -> Incident | None:
        """Return what was the case when it was looked at last; it is looked at again soon."""
        now = asyncio.get_running_loop().time()
        if now >= self._look_at and (self._looking is None or self._looking.done()):
            self._look_at = now + LOOK_S
            self._looking = asyncio.create_task(self._follow())
        return self._current

    async def suffer(self, incident: Incident) -> None:
        """Do to a request what the incident does to it before it is carried out."""
        match incident:
            case Incident.STALLED:
                await self._over.wait()
            case Incident.SLOW:
                await asyncio.sleep(SLOW_S)
            case Incident.FAILING:
                raise Unavailable("provider_unavailable", "The payment provider is unavailable.")

    def told(self, incident: Incident, charge: Any) -> Any:
        """Return what is answered for a charge."""
        if incident is not Incident.LYING:
            return charge
        opposite = "DECLINED" if charge.status == "APPROVED" else "APPROVED"
        lies = (
            replace(charge, amount=(charge.amount or 0) + 1),
            replace(charge, status=type(charge.status)(opposite)),
            replace(charge, status="MAYBE"),
            "<html>502 Bad Gateway</html>",
        )
        return lies[next(self._lies) % len(lies)]

    def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()

    async def _follow(self) -> None:
        """Look once; while there is an incident, until it is over."""
        while True:
            self._current = await self._found()
            if self._current is not Incident.STALLED:
                self._over.set()
                self._over.clear()
            if self._current is None:
                return
            await asyncio.sleep(LOOK_S)

    async def _found(self) -> Incident | None:
        try:
            rows = await self._database.fetch(self._query, {})
        except Unavailable:  # nothing is charged without it either
            return None
        now = to_micros(utc_now())
        return next((Incident(k) for k, until in rows if until > now and k in KINDS), None)
