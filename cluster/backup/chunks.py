"""A table's rows as files. Where they are cut stays the same from one backup to the next.

So a backup into the same folder writes what changed, and the end of each table: rows come in the
order of their keys, which begin with the time, and of old orders nothing changes any more.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Column, Select, select
from sqlalchemy import Table as SqlTable
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.contracts.errors import Damaged
from actors.order.journal_tables import events, order_keys
from cluster.backup.folder import not_written
from cluster.backup.manifest import (
    ENDING,
    Chunk,
    Key,
    Table,
    hash_of,
    rows_of,
    write_file,
    zipped,
)
from cluster.operations.read_only import ReadOnly

ROWS = 20_000
"""In a chunk: of events, 8 MB, and 1.5 MB compressed."""
FETCH = 2000

Report = Callable[[int], None]
"""Gets how many rows more are done."""

_encoder = msgspec.json.Encoder()


def key_columns(table: SqlTable) -> tuple[Column[Any], ...]:
    """Return the columns by which a table's rows are put in order.

    An idempotency key is a hash, anywhere among those of all orders: its order's id is not.
    """
    return (order_keys.c.order_id,) if table is order_keys else tuple(table.primary_key.columns)


class ChunkWriter:
    """Writes tables into a folder; `written` counts the files that are new in it.

    All its methods raise `SirenError` where a file cannot be written.
    """

    def __init__(self, folder: Path, report: Report) -> None:
        self._folder = folder
        self._report = report
        self.written = 0

    async def whole(
        self, snapshot: AsyncConnection, table: SqlTable, before: Table | None
    ) -> Table:
        """Write all rows of a table, as a snapshot has them, where they are not there yet."""
        known = {} if before is None else {chunk.file: chunk for chunk in before.chunks}
        ends = {chunk.last for chunk in known.values() if chunk.rows >= ROWS}
        query = select(table).order_by(*key_columns(table))
        chunks = [
            self._put(table, rows, known) async for rows in _cut(snapshot, query, table, ends)
        ]
        return Table(_names(table), tuple(chunks))

    async def events(self, journal: ReadOnly, position: int, before: Table | None) -> Table:
        """Write the events up to a position: those that `before` has never change.

        Each chunk is read in a transaction of its own, so that no write-ahead log grows meanwhile.
        """
        kept = await self._kept(journal, before)
        self._report(sum(chunk.rows for chunk in kept))
        chunks, reached = list(kept), kept[-1].last[0] if kept else 0
        c = events.c
        while True:
            page = select(events).where(c.position > reached, c.position <= position)
            async with journal.read() as connection:
                found = await connection.execute(page.order_by(c.position).limit(ROWS))
                rows = [tuple(row) for row in found]
            if not rows:
                break
            chunks.append(self._put(events, rows, {}))
            reached = rows[-1][0]
        if reached != position:
            raise Damaged("database_damaged", f"the journal has lost position {position} meanwhile")
        return Table(_names(events), tuple(chunks))

    async def _kept(self, journal: ReadOnly, before: Table | None) -> list[Chunk]:
        """Return the full chunks that the journal has, too: it may have been set back."""
        kept: list[Chunk] = []
        for chunk in () if before is None else before.chunks:
            if chunk.rows < ROWS or not self._is_there(chunk):
                break
            kept.append(chunk)
        if kept:
            mine = select(events).where(events.c.position == kept[-1].last[0])
            async with journal.read() as connection:
                found = (await connection.execute(mine)).one_or_none()
            if found is None or list(found) != rows_of(self._folder, kept[-1])[-1]:
                return []
        return kept

    def _put(
        self, table: SqlTable, rows: Sequence[Sequence[Any]], known: dict[str, Chunk]
    ) -> Chunk:
        self._report(len(rows))
        lines = _encoder.encode_lines(rows)
        digest = hash_of(lines)
        name = f"{table.name}-{digest[:16]}{ENDING}"
        if name in known and known[name].sha256 == digest and self._is_there(known[name]):
            return known[name]
        content = zipped(lines)
        try:
            write_file(self._folder / name, content)
        except OSError as error:  # told here: around it an OSError is a database's
            raise not_written(self._folder, error) from error
        self.written += 1
        return Chunk(name, len(rows), len(content), digest, _key(table, rows[-1]))

    def _is_there(self, chunk: Chunk) -> bool:
        try:
            return (self._folder / chunk.file).stat().st_size == chunk.size
        except OSError:
            return False


async def _cut(
    snapshot: AsyncConnection, query: Select[Any], table: SqlTable, ends: set[Key]
) -> AsyncIterator[list[tuple[Any, ...]]]:
    """Yield rows, cut behind those that ended a full chunk before, and into full ones from there.

    Rows that came in between make a chunk longer, at most twice as long.
    """
    left = set(ends)
    rows: list[tuple[Any, ...]] = []
    found = await snapshot.stream(query.execution_options(yield_per=FETCH))
    async for part in found.partitions():
        for row in part:
            rows.append(tuple(row))
            key = _key(table, row)
            left.discard(key)
            if key in ends or len(rows) >= (2 * ROWS if left else ROWS):
                yield rows
                rows = []
    if rows:
        yield rows


def _names(table: SqlTable) -> tuple[str, ...]:
    return tuple(map(str, table.c.keys()))


def _key(table: SqlTable, row: Sequence[Any]) -> Key:
    names = table.c.keys()
    return tuple(row[names.index(column.name)] for column in key_columns(table))
