"""A service's group commit as one function of PostgreSQL, made from the service's own statements.

It takes the lock, reads anew what was decided on, and only where that is unchanged makes the
changes: one round trip, which is a transaction of its own.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.compiler import SQLCompiler

from actors.runtime.statements import Prepared, quiet

BOUND = re.compile(r"%\((\w+)\)s")
VALUES = re.compile(
    r"(?P<into>INSERT INTO \w+ \([^()]*\)) VALUES \((?P<values>[^()]*)\)(?P<on_conflict>.*)",
    re.DOTALL,
)
DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]

FUNCTION = """\
CREATE OR REPLACE FUNCTION {name}(seen jsonb, changes jsonb) RETURNS text
LANGUAGE plpgsql SET enable_seqscan = off AS $siren$
#variable_conflict use_column
DECLARE
  part jsonb; asked jsonb; present jsonb; given record; found jsonb := '[]'; stale boolean := false;
BEGIN
  IF changes IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock({lock});
  END IF;
  FOR part IN SELECT value FROM jsonb_array_elements(seen) LOOP
    asked := part->1;
    CASE (part->>0)::integer
{reads}
    END CASE;
    stale := stale OR present <> part->2;
    found := found || jsonb_build_array(present);
  END LOOP;
  IF stale OR changes IS NULL THEN
    RETURN found::text;
  END IF;
{asynchronous}\
  FOR part IN SELECT value FROM jsonb_array_elements(changes) LOOP
    CASE (part->>0)::integer
{changes}
    END CASE;
  END LOOP;
  RETURN NULL;
END
$siren$
"""
ASYNCHRONOUS = "  PERFORM set_config('synchronous_commit', 'off', true);\n"
# The order of rows has to be one that Python knows, too, whatever the database's collation is.
READ = """\
      WHEN {number} THEN
        SELECT coalesce(jsonb_agg(each ORDER BY c0::text COLLATE "C", each), '[]') INTO present
        FROM (
          SELECT c0, jsonb_build_array({columns}) AS each FROM (
{select}
          ) AS rows({columns})
        ) AS all_rows;"""
INSERT = """\
      WHEN {number} THEN
        {into} SELECT {values} FROM jsonb_to_recordset(part->1) AS given({columns}){on_conflict};"""
CHANGE = """\
      WHEN {number} THEN
        FOR given IN SELECT * FROM jsonb_to_recordset(part->1) AS rows({columns}) LOOP
          {statement};
        END LOOP;"""


class PostgresFunction:
    """The function: its name, which tells its content, and what creates it.

    Called with two JSON texts: what was seen, as [number of the read, its parameters, rows] each,
    rows in the order of their first column's UTF-8; and what to change, as [number of the change,
    rows] each. NULL: it is committed. Else nothing was changed, and it is the JSON of what each
    read found. Without changes (NULL) it only reads, and takes no lock. All rows of an INSERT are
    one statement, in their order; where it updates what is there, no two have the same key.

    Those of other versions stay in the database, some kB each: one may still be in use, by a system
    that runs beside or is about to come back, and nothing in the database says that none is.
    """

    def __init__(
        self, lock: int, reads: Sequence[Prepared], changes: Sequence[Prepared], *, durable: bool
    ) -> None:
        body = FUNCTION.format(
            name="{name}",
            lock=lock,
            asynchronous="" if durable else ASYNCHRONOUS,
            reads="\n".join(_read(*each) for each in enumerate(reads)),
            changes="\n".join(_change(*each) for each in enumerate(changes)),
        )
        self.name = f"siren_commit_{hashlib.sha256(body.encode()).hexdigest()[:16]}"
        self.creation = body.replace("{name}", self.name)
        self.call = f"SELECT {self.name}($1, $2)"


def _read(number: int, read: Prepared) -> str:
    compiled = _compiled(read)
    select = _bound(compiled, lambda name: _asked(compiled, name))
    width = len(compiled._result_columns)  # noqa: SLF001 - the names may be the same
    columns = ", ".join(f"c{place}" for place in range(width))
    return READ.format(number=number, columns=columns, select=select)


def _change(number: int, change: Prepared) -> str:
    compiled = _compiled(change)
    names = [name for name in compiled.binds if not _is_fixed(compiled, name)]
    columns = ", ".join(f"{name} {_type(compiled, name)}" for name in names)
    statement = _bound(compiled, lambda name: f"given.{name}")
    insert = VALUES.fullmatch(statement)
    if insert is None:
        return CHANGE.format(number=number, columns=columns, statement=statement)
    return INSERT.format(number=number, columns=columns, **insert.groupdict())


def _compiled(prepared: Prepared) -> SQLCompiler:
    statement: Any = quiet(prepared.statement)
    compiled: SQLCompiler = statement.compile(dialect=DIALECT, column_keys=prepared.columns)
    return compiled


def _bound(compiled: SQLCompiler, place_of: Any) -> str:
    def place(found: re.Match[str]) -> str:
        name = found[1]
        if _is_fixed(compiled, name):
            bound = compiled.binds[name]
            return str(compiled.render_literal_value(bound.value, bound.type))
        return str(place_of(name))

    return BOUND.sub(place, compiled.string).replace("%%", "%")


def _is_fixed(compiled: SQLCompiler, name: str) -> bool:
    bound = compiled.binds[name]
    return not bound.required and bound.value is not None


def _asked(compiled: SQLCompiler, name: str) -> str:
    if isinstance(compiled.binds[name].type, ARRAY):
        return f"ARRAY(SELECT jsonb_array_elements_text(asked->'{name}'))"
    return f"CAST(asked->>'{name}' AS {_type(compiled, name)})"


def _type(compiled: SQLCompiler, name: str) -> str:
    return str(compiled.binds[name].type.compile(dialect=DIALECT))
