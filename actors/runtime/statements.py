"""Statements that are built once and run again and again, in whatever transaction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection, Executable, Insert, Text, cast, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.compiler import SQLCompiler

_json = msgspec.json.encode
_rows = msgspec.json.Decoder(list[list[Any]]).decode
Row = Mapping[str, Any]


class Prepared:
    """A statement that is built and compiled once: see `Database.prepare`.

    `text` is what the driver takes, with its own places for what is bound.
    """

    def __init__(self, statement: Executable, columns: Iterable[str], *, for_sqlite: bool) -> None:
        self.statement = statement
        self.columns = list(columns) or None
        compiling = compile_for_sqlite if for_sqlite else compile_for_asyncpg
        compiled = compiling(statement, self.columns)
        self.text = compiled.string
        self._names: Sequence[str] = compiled.positiontup or ()
        self._fixed: Row = compiled.params
        self._lists_are_json = for_sqlite

    def arguments(self, parameters: Row) -> list[Any]:
        """Return the parameters of the text, in its order; for SQLite a list becomes JSON.

        See `Database.among`.
        """
        given = {**self._fixed, **parameters}
        values = map(given.__getitem__, self._names)
        if not self._lists_are_json:
            return list(values)
        return [_json(value).decode() if type(value) is list else value for value in values]

    def rows(self, rows: Sequence[Row]) -> Iterator[tuple[Any, ...]]:
        """Return many rows of parameters as tuples in the text's order."""
        if len(self._names) == 1:
            return ((row[self._names[0]],) for row in rows)
        return map(itemgetter(*self._names), rows)


def compile_for_sqlite(statement: Any, columns: list[str] | None) -> SQLCompiler:
    """Return a statement as SQLite's text, with the names of what is bound; 1 ms each."""
    compiled: SQLCompiler = statement.compile(dialect=sqlite.dialect(), column_keys=columns)
    return compiled


def compile_for_asyncpg(statement: Any, columns: list[str] | None) -> SQLCompiler:
    """Return a statement as PostgreSQL's text, with the names of what is bound as $1 and so on."""
    dialect = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]
    compiled: SQLCompiler = quiet(statement).compile(dialect=dialect, column_keys=columns)
    return compiled


def quiet(statement: Any) -> Any:
    """Return an INSERT that does not tell the keys of what it inserted; others as they are."""
    return statement.inline() if isinstance(statement, Insert) else statement


def as_one(statements: Sequence[Prepared]) -> Any:
    """Return PostgreSQL's query for the rows of all of some queries: a column of JSON for each."""
    return select(*(_as_json(each.statement) for each in statements))


def _as_json(statement: Any) -> Any:
    rows = statement.subquery()
    every = func.json_agg(func.json_build_array(*rows.c))
    return cast(select(every).select_from(rows).scalar_subquery(), Text)


def decode_rows(found: str | None) -> list[list[Any]]:
    """Return the rows of one column of `as_one`."""
    return [] if found is None else _rows(found)


class Transaction(Protocol):
    """What the work of a transaction runs its statements in."""

    def all(self, statement: Prepared, parameters: Row) -> Sequence[Sequence[Any]]:
        """Return the rows of a query; what the database has as boolean may come as 0 or 1."""

    def change(self, statement: Prepared, rows: Sequence[Row]) -> int:
        """Run a statement once for each row of parameters; return how many rows it changed."""


class OnConnection:
    """A transaction of one of SQLAlchemy's connections."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, statement: Prepared, parameters: Row) -> Sequence[Sequence[Any]]:
        """See `Transaction`."""
        return self._connection.execute(statement.statement, parameters).all()

    def change(self, statement: Prepared, rows: Sequence[Row]) -> int:
        """See `Transaction`."""
        return self._connection.execute(statement.statement, rows).rowcount
