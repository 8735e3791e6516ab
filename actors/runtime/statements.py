"""Statements that are built once and run again and again, in whatever transaction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol

import msgspec
from sqlalchemy import Executable
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.compiler import SQLCompiler

_json = msgspec.json.encode
Row = Mapping[str, Any]


class Prepared:
    """A statement that is built and compiled once: see `Database.prepare`."""

    def __init__(self, statement: Executable, columns: Iterable[str], *, for_sqlite: bool) -> None:
        self.statement = statement
        self.text = ""
        self._names: Sequence[str] = ()
        self._fixed: Row = {}
        if for_sqlite:
            compiled = compile_for_sqlite(statement, list(columns) or None)
            self.text = compiled.string
            self._names = compiled.positiontup or ()
            self._fixed = compiled.params

    def arguments(self, parameters: Row) -> list[Any]:
        """Return the parameters of the text, in its order; a list becomes JSON, for `among`."""
        given = {**self._fixed, **parameters}
        values = (given[name] for name in self._names)
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


class Transaction(Protocol):
    """What the work of a transaction runs its statements in."""

    def all(self, statement: Prepared, parameters: Row) -> Sequence[Sequence[Any]]:
        """Return the rows of a query; what the database has as boolean may come as 0 or 1."""

    def change(self, statement: Prepared, rows: Sequence[Row]) -> int:
        """Run a statement once for each row of parameters; return how many rows it changed."""
