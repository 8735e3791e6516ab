"""`siren backup`: takes all databases as they are at one moment, while orders go on."""

import importlib.metadata
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.contracts.errors import SirenError
from actors.order.journal_tables import JOURNAL_SCHEMA_VERSION, events, meta
from actors.runtime.database_faults import is_damage
from actors.settings import Service, Settings
from cluster.audit.databases import METADATA
from cluster.backup import manifest
from cluster.backup.chunks import ChunkWriter
from cluster.backup.folder import claimed, previous
from cluster.backup.manifest import FORMAT, Manifest, Table, hash_of, secret_file, write_file
from cluster.backup.moment import one_moment
from cluster.operations.read_only import (
    ReadOnly,
    check_files,
    check_journal_version,
    check_tables,
)
from cluster.running.privacy import keep_files_private
from cluster.running.token_secret import read_secret

KEPT: tuple[Service, ...] = ("journal", "payments", "provider", "stores")
"""The databases that a backup must have. The view is derived: where it cannot be read it is left
out, and folded from the journal when the backup is restored, which takes longer."""
VIEW: Service = "readmodel"
NICENESS = 5
"""Of the process, once it holds no lock: on a busy machine orders go first."""

Progress = Callable[[int, int], None]
"""Gets how many rows are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A backup, and how many of its files are new in the folder."""

    manifest: Manifest
    written: int
    files: int


async def backup(settings: Settings, folder: Path, progress: Progress) -> Taken:
    """Take a backup into a folder. Where that has an earlier one only what changed is written.

    The earlier one is whole until the new one is. Raises `SirenError` where a database cannot be
    read, or the folder not written.
    """
    check_files(settings, *KEPT)
    keep_files_private()
    async with AsyncExitStack() as opened:
        databases: dict[Service, ReadOnly] = {}
        for service in (*KEPT, VIEW):
            database = ReadOnly(settings.url(service), METADATA[service])
            opened.push_async_callback(database.close)
            if service == VIEW and not await _is_readable(settings, database):
                continue
            await check_tables(database, whole=True)
            databases[service] = database
        await check_journal_version(databases["journal"])
        with claimed(folder):
            return await _Backup(settings, folder, databases, progress).take()


class _Backup:
    def __init__(
        self,
        settings: Settings,
        folder: Path,
        databases: dict[Service, ReadOnly],
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._databases = databases
        self._progress = progress
        self._done = self._total = 0
        self._writer = ChunkWriter(folder, self._count)

    async def take(self) -> Taken:
        tables: dict[Service, dict[str, Table]] = {}
        async with one_moment(self._settings, self._databases) as snapshots:
            taken_at = datetime.now(UTC)
            _step_back()
            journal = snapshots["journal"]
            installation, position = await _identity(journal)
            before = self._usable(installation)
            self._total = position + await self._count_rows(snapshots)
            # Largest first: its log grows for as long as a snapshot is read.
            for service, snapshot in snapshots.items():
                old = {} if before is None else before.tables.get(service, {})
                try:
                    tables[service] = await self._table_by_table(service, snapshot, old)
                except Exception as error:
                    if service != VIEW or not is_damage(getattr(error, "orig", None)):
                        raise
                await snapshot.rollback()
        earlier = None if before is None else before.tables["journal"][events.name]
        tables["journal"][str(events.name)] = await self._writer.events(
            self._databases["journal"], position, earlier
        )
        whole = Manifest(
            format=FORMAT,
            siren=importlib.metadata.version("siren-order"),
            taken_at=taken_at,
            installation=installation,
            journal_version=JOURNAL_SCHEMA_VERSION,
            position=position,
            tables=tables,
            token_secret=self._keep_secret(),
        )
        manifest.write(self._folder, whole)
        return Taken(whole, self._writer.written, len(list(whole.chunks())))

    def _usable(self, installation: str) -> Manifest | None:
        """Return the earlier backup where it is of these databases, in today's shape."""
        before = previous(self._folder)
        if before is None:
            return None
        if before.installation != installation:
            detail = (
                f"{self._folder} has the backup of another installation, taken at "
                f"{before.taken_at:%Y-%m-%d %H:%M:%SZ}: name another folder"
            )
            raise SirenError("another_installation", detail)
        same = (before.format, before.journal_version) == (FORMAT, JOURNAL_SCHEMA_VERSION)
        return before if same else None

    async def _table_by_table(
        self, service: Service, snapshot: AsyncConnection, before: dict[str, Table]
    ) -> dict[str, Table]:
        return {
            str(table.name): await self._writer.whole(snapshot, table, before.get(table.name))
            for table in METADATA[service].sorted_tables
            if table is not events
        }

    async def _count_rows(self, snapshots: dict[Service, AsyncConnection]) -> int:
        return sum(
            [
                await snapshot.scalar(select(func.count()).select_from(table)) or 0
                for service, snapshot in snapshots.items()
                for table in METADATA[service].sorted_tables
                if table is not events
            ]
        )

    def _count(self, rows: int) -> None:
        self._done += rows
        self._progress(self._done, max(self._done, self._total))

    def _keep_secret(self) -> str | None:
        if self._settings.jwt_secret is not None:
            return None
        try:
            secret = read_secret(self._settings)
        except SirenError:
            return None  # PostgreSQL's, on another machine: the first start makes a new one
        digest = hash_of(secret)
        write_file(self._folder / secret_file(digest), secret)
        return digest


async def _is_readable(settings: Settings, view: ReadOnly) -> bool:
    try:
        check_files(settings, VIEW)
        await check_tables(view)
    except SirenError:
        return False
    return True


async def _identity(journal: AsyncConnection) -> tuple[str, int]:
    """Return a hash of the installation's secret, and the journal's last position."""
    secret = await journal.scalar(select(meta.c.value).where(meta.c.key == "secret"))
    position = await journal.scalar(select(func.max(events.c.position)))
    return hash_of(str(secret).encode()), position or 0


def _step_back() -> None:
    if os.nice(0) < NICENESS:
        os.nice(NICENESS - os.nice(0))
