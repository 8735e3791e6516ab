"""`siren restore`: makes a backup's databases anew, as files or on servers, whichever it came from.

Everything is checked before anything is made, and files are whole before they get their names. The
journal comes last: without it `siren up` refuses the others.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import inspect

from actors.contracts.errors import SirenError, Unavailable, UnknownEvent
from actors.order.journal import Journal
from actors.order.journal_tables import JOURNAL_SCHEMA_VERSION
from actors.payment.provider_tables import charges
from actors.runtime.database_faults import PARTS, file_of, name_of, sqlite_files
from actors.settings import SERVICES, Service, Settings
from cluster.audit.databases import METADATA
from cluster.backup import manifest as manifests
from cluster.backup.loading import FileLoader, Loader, ServerLoader
from cluster.backup.manifest import Manifest
from cluster.operations.database_urls import check_urls
from cluster.operations.read_only import ReadOnly
from cluster.running.data_folder import held
from cluster.running.integrity import has_rows
from cluster.running.privacy import keep_files_private
from cluster.running.token_secret import keep_secret
from readmodel.projection import JournalReplaced, Projection
from readmodel.tables import create_tables, open_database

ORDER: tuple[Service, ...] = ("readmodel", "provider", "stores", "payments", "journal")
FOLD = 5000

Progress = Callable[[str, int, int], None]
"""Gets what is being done, how much of it is, and how much there is."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored; `provider_kept`: the provider's books were there, and went on."""

    manifest: Manifest
    provider_kept: bool


def check(folder: Path, progress: Progress) -> Manifest:
    """Read a whole backup; raises `SirenError` where any of it is missing, damaged, or newer."""
    found = manifests.read(folder)
    _refuse_newer(found)
    done, total = 0, found.rows
    for chunk in found.chunks():
        progress("checking the backup", done, total)
        manifests.lines_of(folder, chunk)
        done += chunk.rows
    manifests.secret_of(folder, found)
    return found


async def restore(settings: Settings, folder: Path, progress: Progress) -> Restored:
    """Restore a backup to where the settings say, which has to be empty.

    Where the provider has its books already they stay: it is a third party, and knows what it has
    charged since. Raises `SirenError` where it cannot be done; then nothing has its name yet.
    """
    check_urls(settings)
    found = await asyncio.to_thread(check, folder, progress)
    keep_files_private()
    with _held(settings):
        present = [s for s in SERVICES if await _is_there(settings, s)]
        _refuse_present(settings, [service for service in present if service != "provider"])
        loaded = [s for s in ORDER if s not in present and s in found.tables]
        async with AsyncExitStack() as opened:
            loaders = {s: await opened.enter_async_context(_loader(settings, s)) for s in loaded}
            await _load(found, folder, loaders, progress)
            secret = manifests.secret_of(folder, found)
            if secret is not None and settings.jwt_secret is None:
                keep_secret(settings, secret)
            for loader in loaders.values():
                await loader.publish()
        if found.journal_version == JOURNAL_SCHEMA_VERSION:  # else the first start upgrades it
            await _fold(settings, progress)
    return Restored(found, "provider" in present)


def _refuse_newer(found: Manifest) -> None:
    """Raise `SirenError` where a backup holds what this version does not know."""
    words = ""
    if found.journal_version > JOURNAL_SCHEMA_VERSION:
        words = f"its journal has schema version {found.journal_version}"
    for service, tables in found.tables.items():
        ours = METADATA[service].tables
        for name, table in tables.items():
            foreign = set(table.columns) - set(ours[name].c.keys()) if name in ours else {"rows"}
            if foreign:
                words = words or f"table {name} of {service} has {min(foreign)}, unknown here"
    if words:
        detail = f"the backup was taken by siren {found.siren}, a newer one: {words}; use that one"
        raise SirenError("backup_too_new", detail)


@contextmanager
def _held(settings: Settings) -> Iterator[None]:
    """Hold the data folder, where anything of it is used: no system runs on it then."""
    with ExitStack() as stack:
        if sqlite_files(settings) or settings.jwt_secret is None:
            stack.enter_context(held(settings))
        yield


async def _is_there(settings: Settings, service: Service) -> bool:
    """Return whether a database has anything of ours."""
    url = settings.url(service)
    file = file_of(url)
    if file is not None:
        if service == "provider":
            return has_rows(file, charges.name)
        return any(file.with_name(file.name + end).exists() for end in PARTS)
    database = ReadOnly(url, METADATA[service])
    try:
        async with database.read() as connection:
            names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    finally:
        await database.close()
    return bool(set(names) & set(METADATA[service].tables))


def _refuse_present(settings: Settings, present: list[Service]) -> None:
    if present:
        places = ", ".join(f"{service} ({name_of(settings.url(service))})" for service in present)
        detail = (
            f"there is something already of {places}: restore into another folder, or another "
            "database, or move this one away"
        )
        raise SirenError("not_empty", detail)


@asynccontextmanager
async def _loader(settings: Settings, service: Service) -> AsyncIterator[Loader]:
    url, metadata = settings.url(service), METADATA[service]
    file = file_of(url)
    if file is not None:
        with FileLoader(file, metadata) as loader:
            yield loader
        return
    try:
        async with ServerLoader(url, metadata) as server:
            yield server
    except Unavailable as error:
        raise SirenError(error.code, error.detail) from error


async def _load(
    found: Manifest, folder: Path, loaders: dict[Service, Loader], progress: Progress
) -> None:
    done = 0
    total = sum(table.rows for service in loaders for table in found.tables[service].values())
    for service, loader in loaders.items():
        for table in METADATA[service].sorted_tables:
            rows = found.tables[service].get(table.name)
            await loader.create(table)
            for chunk in () if rows is None else rows.chunks:
                progress("restoring", done, total)
                assert rows is not None
                await loader.insert(table, rows.columns, manifests.rows_of(folder, chunk))
                done += chunk.rows
            await loader.finish(table)


async def _fold(settings: Settings, progress: Progress) -> None:
    """Fold what the view lacks of the journal: all, where the backup has no view.

    Who interrupts it lets `siren up` do the rest. What it cannot read was so when it was backed up,
    and is told by `siren verify`.
    """
    await create_tables(settings.url("readmodel"))
    journal = Journal(settings.url("journal"))
    view = open_database(settings.url("readmodel"))
    try:
        last = await journal.last_position()
        projection = Projection(journal, view)
        with suppress(SirenError, UnknownEvent, JournalReplaced):
            while await projection.fold_next(FOLD):
                progress("folding the view", projection.position, last)
    finally:
        await view.close()
        await journal.close()
