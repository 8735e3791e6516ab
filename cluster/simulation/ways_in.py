"""The ways into a database: `transact`, `fetch`, `fetch_all` and `read` of `Database`, on a disk.

They stand in for the methods without their turns, limits and files, which only ever wait.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from actors.runtime.database import Database
from actors.runtime.statements import Prepared, Row, Transaction
from cluster.simulation.storage import Awaited, Disk, rows_of

Result = TypeVar("Result")


def _disk_of(database: Database) -> Disk:
    return database._inline_write.disk  # type: ignore[no-any-return, union-attr]  # noqa: SLF001


async def transact(self: Database, work: Callable[[Transaction], Result]) -> Result:
    """See `Database.transact`."""
    with self.faults.reached:
        return await _disk_of(self).transact(work)


async def fetch(self: Database, statement: Prepared, parameters: Row) -> Sequence[Sequence[Any]]:
    """See `Database.fetch`."""
    with self.faults.reached:
        disk = _disk_of(self)
        disk.before_read()
        return rows_of(disk.raw.execute, statement, parameters)


async def fetch_all(
    self: Database, statements: tuple[Prepared, ...], parameters: Row
) -> list[Sequence[Sequence[Any]]]:
    """See `Database.fetch_all`."""
    with self.faults.reached:
        disk = _disk_of(self)
        disk.before_read()
        execute = disk.raw.execute
        return [rows_of(execute, each, parameters) for each in statements]


class Reading:
    """Stands in for what `Database.read` returns."""

    def __init__(self, database: Database) -> None:
        self._reached = database.faults.reached
        self._disk = _disk_of(database)

    async def __aenter__(self) -> "Awaited":
        with self._reached:
            self._disk.before_read()
        return self._disk.ready

    async def __aexit__(self, *raised: Any) -> None:  # noqa: PYI036
        self._reached.__exit__(*raised)


def read(self: Database) -> Reading:
    """See `Database.read`."""
    return Reading(self)
