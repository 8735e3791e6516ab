"""What SQLAlchemy compiles for one test's databases serves all others: that was a third of a run.

Each test opens databases of its own, and SQLAlchemy knows for each engine what it has compiled.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest.mock import patch

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.sql.compiler import SQLCompiler

from actors.order.journal_statements import Statements
from actors.runtime import engines, statements
from actors.runtime.database import Database
from cluster.operations import read_only

Built = TypeVar("Built")
Compiling = Callable[[Any, list[str] | None], SQLCompiler]


def remembering(compiling: Compiling) -> Compiling:
    """Compile each statement once, and for each of the values that stand in it."""
    known: dict[object, SQLCompiler] = {}

    def compiled(statement: Any, columns: list[str] | None) -> SQLCompiler:
        key = statement._generate_cache_key()
        values = tuple((bound.key, repr(bound.value)) for bound in key.bindparams)
        place = (key.key, values, tuple(columns or ()))
        if place not in known:
            known[place] = compiling(statement, columns)
        return known[place]

    return compiled


def for_each_dialect(building: Callable[[Database], Built]) -> Callable[[Database], Built]:
    """Build an owner's statements for the first database of its kind; they serve all others."""
    known: dict[bool, Built] = {}

    def built(database: Database) -> Built:
        if database.is_sqlite not in known:
            known[database.is_sqlite] = building(database)
        return known[database.is_sqlite]

    return built


def sharing(creating: Callable[..., AsyncEngine]) -> Callable[..., AsyncEngine]:
    """Let all engines of SQLite compile for one dialect, into one cache."""
    shared = creating("sqlite+aiosqlite://")
    asyncio.run(_connect(shared))  # only then a dialect is complete

    def created(url: URL | str, **options: Any) -> AsyncEngine:
        engine = creating(url, **options)
        if engine.dialect.name == shared.dialect.name:
            engine.sync_engine.dialect = shared.sync_engine.dialect
            engine.sync_engine._compiled_cache = shared.sync_engine._compiled_cache
        return engine

    return created


async def _connect(engine: AsyncEngine) -> None:
    async with engine.connect():
        pass
    await engine.dispose()


@contextmanager
def compiled_once() -> Iterator[None]:
    """Let databases that are opened within the block share what is compiled for them."""
    create = sharing(create_async_engine)
    with (
        patch.object(statements, "compile_for_sqlite", remembering(statements.compile_for_sqlite)),
        patch("actors.order.journal.Statements", for_each_dialect(Statements)),
        patch.object(engines, "create_async_engine", create),
        patch.object(read_only, "create_async_engine", create),
    ):
        yield
