"""How a service commits a batch: on SQLite as any transaction, on PostgreSQL in one round trip.

There, what the batch is decided on was read before, or is what the service believes to know; the
server compares it with what is there once it holds the lock, and changes nothing where that is
another. Then it is decided again on what the server has found.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import msgspec

from actors.runtime.database import Database
from actors.runtime.metrics import COMMIT_DURATION, COMMIT_SIZE
from actors.runtime.postgres_function import PostgresFunction
from actors.runtime.statements import Prepared, Row, Transaction

Result = TypeVar("Result")
Rows = Sequence[Sequence[Any]]
Seen = tuple[Prepared, Row, Rows | None]
"""A query with its parameters, and the rows that it is believed to have, by their first column.

None: nobody knows, and it will be asked for.
"""

TRIES = 3
"""Where others change as often meanwhile what was read, the lock is taken first, and then read."""

UNDEFINED_FUNCTION = "42883"
INSUFFICIENT_PRIVILEGE = "42501"

_encode = msgspec.json.encode
_decode = msgspec.json.decode


class GroupCommit:
    """Commits the work of a batch that runs `reads` and `changes`, and no other statements.

    `service` is what its metrics are labelled with.
    """

    def __init__(
        self,
        database: Database,
        reads: Sequence[Prepared],
        changes: Sequence[Prepared],
        service: str,
    ) -> None:
        self._database = database
        self._durations = COMMIT_DURATION.labels(service)
        self._sizes = COMMIT_SIZE.labels(service)
        self._number = {each: n for group in (reads, changes) for n, each in enumerate(group)}
        self._function = database.function(reads, changes)

    async def run(
        self,
        work: Callable[[Transaction], Result],
        seen: Callable[[], Iterable[Seen]] = tuple,
        size: int = 1,
    ) -> Result:
        """Run `work` in a write transaction, and return its result once that is on disk.

        `work` may run several times: it has no effect but by the transaction. `seen` tells what
        it will read, as far as that is known. `size` is how many items are committed together.
        Raises what `Database.transact` raises.
        """
        began = time.perf_counter()
        try:
            return await self._run(work, seen)
        finally:
            self._durations.observe(time.perf_counter() - began)
            self._sizes.observe(size)

    async def _run(
        self, work: Callable[[Transaction], Result], seen: Callable[[], Iterable[Seen]]
    ) -> Result:
        if self._function is None:
            return await self._database.transact(work)
        known: dict[_Key, Rows] = {}
        unknown: list[_Key] = []
        for statement, parameters, rows in seen():
            key = self._number[statement], _encode(parameters)
            if rows is None:
                unknown.append(key)
            else:
                known[key] = rows
        with suppress(_NotAllowed):
            for _ in range(TRIES):
                attempt = await self._attempt(work, known, unknown)
                if await self._committed(attempt, known):
                    return attempt.result  # type: ignore[no-any-return]
        return await self._database.transact(work)

    async def _attempt(
        self,
        work: Callable[[Transaction], Result],
        known: "dict[_Key, Rows]",
        unknown: "list[_Key]",
    ) -> "_Attempt":
        """Run `work` on what is known; what it asks for beside that is read, without the lock."""
        while True:
            if unknown:
                found = await self._call([(key, ()) for key in unknown], None)
                known.update(zip(unknown, found, strict=True))
                unknown.clear()
            attempt = _Attempt(self._number, known)
            try:
                attempt.result = work(attempt)
            except _Unread as unread:
                unknown.append(unread.key)
            else:
                return attempt

    async def _committed(self, attempt: "_Attempt", known: "dict[_Key, Rows]") -> bool:
        """Commit what was changed, or learn what is there instead of what was believed."""
        began = time.perf_counter()
        seen = [(key, known[key]) for key in attempt.used]
        found = await self._call(seen, _encode(attempt.changes).decode())
        if found is None:
            self._database.pace.note(time.perf_counter() - began)
            return True
        known.update(zip(attempt.used, found, strict=True))
        return False

    async def _call(self, seen: "Sequence[tuple[_Key, Rows]]", changes: str | None) -> Any:
        function = self._function
        assert function is not None
        parts = [[number, msgspec.Raw(asked), rows] for (number, asked), rows in seen]
        call = partial(self._database.call, function.call, _encode(parts).decode(), changes)
        try:
            answer = await call()
        except Exception as error:
            if _sqlstate(error) != UNDEFINED_FUNCTION:
                raise
            await self._define(function)  # the first one of this version of the code
            answer = await call()
        return None if answer is None else _decode(answer)

    async def _define(self, function: PostgresFunction) -> None:
        try:
            await self._database.define(function)
        except Exception as error:
            if _sqlstate(error) != INSUFFICIENT_PRIVILEGE:
                raise
            self._function = None  # whoever prepared the database gave no right to create anything
            raise _NotAllowed from error


def _sqlstate(error: Exception) -> str | None:
    return getattr(getattr(error, "orig", error), "sqlstate", None)


_Key = tuple[int, bytes]


class _NotAllowed(Exception):
    pass


class _Unread(Exception):
    def __init__(self, key: _Key) -> None:
        self.key = key


class _Attempt:
    """A transaction in which nothing has happened yet: what it has read is only believed."""

    result: Any

    def __init__(self, numbers: dict[Prepared, int], known: dict[_Key, Rows]) -> None:
        self._numbers = numbers
        self._known = known
        self.used: list[_Key] = []
        self.changes: list[tuple[int, list[Row]]] = []

    def all(self, statement: Prepared, parameters: Row) -> Rows:
        key = self._numbers[statement], _encode(parameters)
        if key not in self._known:
            raise _Unread(key)
        self.used.append(key)
        return self._known[key]

    def change(self, statement: Prepared, rows: Sequence[Row]) -> int:
        self.changes.append((self._numbers[statement], list(rows)))
        return len(rows)
