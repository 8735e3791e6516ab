"""What the journal notes of its schema. It has a table of its own for that: `meta`."""

from sqlalchemy import inspect, select

from actors.order.journal_tables import meta
from actors.runtime.database import Database
from actors.runtime.schema import Recorded

SCHEMA_VERSION, OLDEST = "schema_version", "oldest_code"
"""In `meta`: which schema the journal has, and which code may use it (see `runtime.schema`)."""


async def schema_of(database: Database) -> Recorded | None:
    """Return the schema that a journal says it has; None where it has none yet."""
    async with database.read() as connection:
        if not await connection.run_sync(lambda sync: inspect(sync).has_table(meta.name)):
            return None
        known = meta.c.key.in_((SCHEMA_VERSION, OLDEST))
        rows = await connection.execute(select(meta.c.key, meta.c.value).where(known))
        found = {row.key: int(row.value) for row in rows}
    if SCHEMA_VERSION not in found:
        return None
    # Before it was noted, older code stayed away from whatever was newer.
    return Recorded(found[SCHEMA_VERSION], found.get(OLDEST, found[SCHEMA_VERSION]))
