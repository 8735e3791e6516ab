"""Money that the provider took for orders that the journal no longer knows, and giving it back.

A restored journal ends when its backup was taken. The provider is a third party, whose books go on:
what was charged later was charged for nobody, and a customer who sends the same order again would
be charged again.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from actors.contracts.errors import SirenError, Unavailable
from actors.payment.provider import SimulatedProvider
from actors.payment.provider_tables import charges
from actors.settings import Settings
from cluster.audit import whole_tables
from cluster.audit.databases import Databases

AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class LostCharge:
    """A live charge, in the currency's minor unit, that no order in the journal asked for."""

    key: str
    order_id: str
    amount: int
    currency: str


async def find_lost_charges(settings: Settings) -> list[LostCharge]:
    """Return the charges that no order asked for; raises `SirenError` where nobody can tell.

    The journal has a request on disk before the provider hears of it: so it may run.
    """
    databases = Databases(settings)
    try:
        await databases.check()
        found = [
            LostCharge(key, order_id, *await _money(databases, key))
            async for strays in whole_tables.stray_charges(databases)
            for order_id, keys in strays.items()
            for key in sorted(keys)
        ]
        if databases.damage:
            place, words = next(iter(databases.damage.items()))
            raise SirenError("database_damaged", f"{place}: {words}")
        return found
    finally:
        await databases.close()


async def refund(
    settings: Settings, lost: list[LostCharge], progress: Callable[[int, int], None]
) -> None:
    """Undo charges at the provider, for good; harmless to repeat. Raises `SirenError`."""
    provider = SimulatedProvider(settings.url("provider"))
    try:
        for done in range(0, len(lost), AT_ONCE):
            progress(done, len(lost))
            part = lost[done : done + AT_ONCE]
            await asyncio.gather(*(provider.cancel(charge.key) for charge in part))
    except Unavailable as error:
        raise SirenError(error.code, f"{error.detail}; repeat it") from error
    finally:
        await provider.close()


async def _money(databases: Databases, key: str) -> tuple[int, str]:
    query = select(charges.c.amount, charges.c.currency).where(charges.c.key == key)
    async with databases.read("provider") as connection:
        row = (await connection.execute(query)).one()
    return row.amount or 0, row.currency or ""
