"""The schemas of all databases, as this code makes them; whether a running version bears them."""

from collections.abc import Mapping

from actors.contracts.errors import SirenError, Unavailable
from actors.order.journal import Journal
from actors.order.journal_tables import JOURNAL_SCHEMA_VERSION, OLDEST_CODE
from actors.order.journal_upgrade import SEALING, admit_unsealed
from actors.payment import provider_tables as provider
from actors.payment import tables as payments
from actors.runtime.schema import Schema
from actors.settings import Settings
from actors.store import tables as stores
from readmodel import tables as readmodel

SCHEMAS = (
    Schema("journal", JOURNAL_SCHEMA_VERSION, OLDEST_CODE),
    payments.SCHEMA,
    provider.SCHEMA,
    stores.SCHEMA,
    readmodel.SCHEMA,
)


def known_schemas() -> tuple[tuple[str, int], ...]:
    """Return the schema version of each database that this code knows, by the service's name."""
    return tuple((schema.name, schema.version) for schema in SCHEMAS)


async def check_running_version(settings: Settings, running: Mapping[str, int]) -> None:
    """Raise `SirenError` where this code would take a database from the version that runs.

    `running` are the schema versions that it knows; of one that does not tell, the journal's own
    is taken. A database that is away now is looked at when it is prepared.
    """
    known = dict(running)
    if "journal" not in known and (found := await _version_of_journal(settings)) is not None:
        known["journal"] = found
    for schema in SCHEMAS:
        if known.get(schema.name, schema.oldest_code) < schema.oldest_code:
            detail = (
                f"this version makes the database of {schema.name} one that the running version "
                "must not use: deploy the version between them first, or stop the system, and "
                "start it with this version"
            )
            raise SirenError("running_version_too_old", detail)


async def end_of_older_code(settings: Settings, running: Mapping[str, int]) -> None:
    """Note where in the journal code without seals has ended, if that was what ran; see `seals`."""
    if running.get("journal", 0) >= SEALING:
        return
    journal = Journal(settings.url("journal"))
    try:
        await admit_unsealed(journal.database, always=True)
    finally:
        await journal.close()


async def _version_of_journal(settings: Settings) -> int | None:
    journal = Journal(settings.url("journal"))
    try:
        found = await journal.schema()
    except Unavailable:
        return None
    finally:
        await journal.close()
    return None if found is None else found.version
