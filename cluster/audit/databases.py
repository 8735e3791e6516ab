"""All databases of an installation, opened to be read. What is damaged is noted and gone around."""

import asyncio
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any

from sqlalchemy import Row, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.contracts.errors import Damaged, SirenError
from actors.order import journal_tables
from actors.order.journal_tables import meta
from actors.payment import provider_tables
from actors.payment import tables as payment_tables
from actors.runtime.database_faults import sqlite_files
from actors.settings import SERVICES, Service, Settings
from actors.store import tables as store_tables
from cluster.operations.read_only import ReadOnly, check_files, check_journal_version, check_tables
from cluster.running.integrity import quick_check
from cluster.running.lost_logs import lost_log
from readmodel import tables as view_tables

METADATA = {
    "journal": journal_tables.metadata,
    "payments": payment_tables.metadata,
    "provider": provider_tables.metadata,
    "stores": store_tables.metadata,
    "readmodel": view_tables.metadata,
}


class _GoOn:
    """A block that ends where damage is met: the place is noted, and nothing is raised."""

    def __init__(self, damage: dict[str, str], place: str) -> None:
        self._damage = damage
        self._place = place

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Damaged):
            return False
        self._damage.setdefault(self._place, error.detail)
        return True


class Databases:
    """All databases of an installation, read only. All methods raise `SirenError`.

    What is damaged is gone around: `damage` tells which tables, and why.
    """

    def __init__(self, settings: Settings) -> None:
        check_files(settings, *SERVICES)
        self._opened = {
            service: ReadOnly(settings.url(service), METADATA[service]) for service in SERVICES
        }
        self._files = sqlite_files(settings)
        self.damage: dict[str, str] = {}

    async def check(self) -> None:
        """Raise `SirenError` where a database is not one of ours, or of another version."""
        for service, database in self._opened.items():
            with self.around(service, "all of it"):
                await check_tables(database)
        if len(self.damage) == len(self._opened):
            place, words = next(iter(self.damage.items()))
            raise SirenError("database_unreadable", f"cannot read any database: {place}: {words}")
        with self.around("journal", meta.name):
            await check_journal_version(self._opened["journal"])

    async def look_through(self, *, at_rest: bool) -> None:
        """Look through the files, indexes included, for what is damaged.

        `at_rest`: nobody writes, so that the ends of their logs can be told from what comes next.
        """
        for service, file in self._files.items():
            words = await asyncio.to_thread(quick_check, file)
            if not words and at_rest:
                words = await asyncio.to_thread(lost_log, file)
            if words:
                self.damage.setdefault(self.place(service, "the file"), words)

    async def close(self) -> None:
        """Close all connections."""
        for database in self._opened.values():
            await database.close()

    def read(self, service: Service) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a read transaction of a service's database, as `Database.read` does."""
        return self._opened[service].read()

    def place(self, service: Service, table: str) -> str:
        """Return what operators call a table: its file and name."""
        file = self._files.get(service)
        return f"{service if file is None else file.name}, {table}"

    def around(self, service: Service, table: str) -> _GoOn:
        """Note damage, and go on behind the block."""
        return _GoOn(self.damage, self.place(service, table))

    async def scalar(self, service: Service, table: Table, query: Any) -> int:
        """Return a number; 0 where it cannot be read."""
        with self.around(service, table.name):
            async with self.read(service) as connection:
                return int(await connection.scalar(query) or 0)
        return 0


def wrong_column(table: Table, row: Row[Any]) -> str | None:
    """Return a column whose value is of another type than the table's; SQLite keeps any."""
    for column, value in zip(table.c, row, strict=True):
        wanted = column.type.python_type
        if value is None:
            fits = bool(column.nullable)
        else:
            fits = isinstance(value, bool | int if wanted is bool else wanted)
        if not fits:
            return str(column.name)
    return None
