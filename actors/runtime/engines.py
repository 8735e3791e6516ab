"""SQLAlchemy's engines of one database, made where they are needed: what orders do goes without."""

from functools import cached_property
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from actors.runtime import postgres_connections, sqlite_connections
from actors.runtime.postgres_connections import engine_options
from actors.runtime.sqlite_connections import configure_engine

READERS = 4


class Engines:
    """Of SQLite one connection writes and some read; of PostgreSQL any does both."""

    def __init__(self, url: str, synchronous: str) -> None:
        self._url = make_url(url)
        self._synchronous = synchronous
        self._made: list[AsyncEngine] = []

    @cached_property
    def writer(self) -> AsyncEngine:
        """Its connections begin by taking SQLite's write lock."""
        if self._is_sqlite:
            return self._sqlite("BEGIN IMMEDIATE", 1)
        plain, options = engine_options(self._url)
        return self._make(plain, **postgres_connections.POOL, **options)

    @cached_property
    def reader(self) -> AsyncEngine:
        """Its connections take no lock."""
        return self._sqlite("BEGIN", READERS) if self._is_sqlite else self.writer

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def _sqlite(self, begin: str, connections: int) -> AsyncEngine:
        engine = self._make(self._url, pool_size=connections, **sqlite_connections.POOL)
        configure_engine(engine.sync_engine, begin, self._synchronous)
        return engine

    def _make(self, url: URL, **options: Any) -> AsyncEngine:
        self._made.append(create_async_engine(url, **options))
        return self._made[-1]

    async def close(self) -> None:
        """Close all connections."""
        for engine in self._made:
            await engine.dispose()
