"""PostgreSQL as every service uses it: its URL's options, and connections without a transaction.

Nothing of SQLAlchemy in between: a statement is one round trip. `Database` says who may write when.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import uuid4

from sqlalchemy import URL, make_url

CONNECTIONS = 4
"""Of one `Database`: what waits is grouped, so that few are busy at a time."""
POOL: dict[str, Any] = {
    # For what is rarely asked: lists, pages, and what is done at a start. More than one is closed
    # again; no more than five are open.
    "pool_size": 1,
    "max_overflow": 4,
    "pool_pre_ping": True,
    # Parameters hold names and phone numbers: they must not reach a log by way of an error.
    "hide_parameters": True,
}
GONE = ("08", "57P")
"""SQLSTATEs behind which a connection does not go on."""
CACHES = ("statement_cache_size", "prepared_statement_cache_size")
"""How many prepared statements are kept, by asyncpg's name and by SQLAlchemy's.

None, in front of a pgbouncer before 1.21 in transaction mode: it sends to several servers what is
sent to it, and does not know which of them has which statement. Then each one is prepared anew,
and in a transaction, which stays with a server: four round trips instead of one.
"""
ENCRYPTION = (
    *("ssl", "sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword"),
    *("sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version"),
)
IDENTITY = ("user", "password", "passfile", "service", "krbsrvname", "gsslib", "application_name")
PLACE = ("host", "port", "database", "target_session_attrs", "options")
OPTIONS = frozenset((*ENCRYPTION, *IDENTITY, *PLACE, *CACHES))
"""What may stand behind a URL's question mark: libpq's, as far as asyncpg knows them."""
BY_KEY = "SET enable_seqscan = off"
"""All that is asked here is found by its key. But a plan is kept, and one that was made while a
table was empty would read the whole of it, until the server counts its rows a minute later."""

WATCHED = {
    # A machine that vanishes says no goodbye: what its transactions have locked would be locked for
    # the two hours that TCP waits by itself. Its server looks after 2 s, and gives it up after 5.
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "5000",
    # So does a process that hangs while its machine lives. A transaction of ours waits for nothing
    # but its database, and is given up after `database.WRITE_LIMIT_S`.
    "idle_in_transaction_session_timeout": "30000",
}
"""What a server is asked to do about clients that are gone; what a URL says itself stays.

A pgbouncer refuses to be told such things, and has settings of its own for them."""


class PostgresConnections:
    """Connections for single statements, each a transaction of its own; opened at need.

    Raises asyncpg's own errors, which `DatabaseFaults` tells apart.
    """

    def __init__(self, url: str) -> None:
        self._open, self._prepares = opening_of(make_url(url)), prepares(make_url(url))
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[Any] = []

    async def fetch(self, text: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Return the rows of one statement; whatever it changed is committed by then."""
        async with self._borrowed() as connection:
            rows: Sequence[Sequence[Any]]
            if self._prepares:
                rows = await connection.fetch(text, *arguments)
            else:
                async with connection.transaction():
                    rows = await connection.fetch(text, *arguments)
            return rows

    async def value(self, text: str, *arguments: str | None) -> Any:
        """Return the only value of one statement's only row, as `fetch` does."""
        return (await self.fetch(text, arguments))[0][0]

    async def close(self) -> None:
        """Close those that nobody uses."""
        while self._idle:
            self._idle.pop().terminate()

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Any]:
        import asyncpg  # noqa: PLC0415 - it takes 3 MB, which SQLite does without

        async with self._places:
            connection = self._known_to_live() or await self._opened()
            try:
                yield connection
            except asyncpg.PostgresError as error:
                if not (error.sqlstate or "").startswith(GONE):  # an answer as others
                    self._idle.append(connection)
                raise
            except BaseException as error:
                # Cut off, or given up: its answer must not become the next statement's.
                connection.terminate()
                if isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError):
                    raise ConnectionError(str(error)) from error
                raise
            self._idle.append(connection)

    async def _opened(self) -> Any:
        connection = await self._open()
        if self._prepares:
            try:
                await connection.execute(BY_KEY)
            except BaseException:
                connection.terminate()
                raise
        return connection

    def _known_to_live(self) -> Any:
        """Return the connection that was used last; one that the server closed is left out."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None


def prepares(url: URL) -> bool:
    """Return whether statements stay prepared on the server; see `CACHES`."""
    return all(int(str(url.query.get(name, 1))) > 0 for name in CACHES)


def opening_of(url: URL) -> Any:
    """Return what opens a connection by a URL, with libpq's options for SSL and several hosts.

    See `OPTIONS`; `ssl` is `sslmode`.
    """
    import asyncpg  # noqa: PLC0415 - as above

    query = {name: value for name, value in url.query.items() if name not in CACHES}
    if "ssl" in query:
        query.setdefault("sslmode", query.pop("ssl"))
    options = {} if prepares(url) else {"statement_cache_size": 0}
    plain = url.set(drivername="postgresql", query=query).render_as_string(hide_password=False)
    watched = {name: value for name, value in WATCHED.items() if name not in query}

    async def opened(**kept: Any) -> Any:
        nonlocal watched
        connect = partial(asyncpg.connect, plain, **options, **kept)
        try:
            return await connect(server_settings=watched or None)
        except asyncpg.ProtocolViolationError:
            if not watched:
                raise
            watched = {}
            return await connect()

    return opened


def engine_options(url: URL, **kept: Any) -> tuple[URL, dict[str, Any]]:
    """Return the URL and the options by which SQLAlchemy's engine opens what `opening_of` does.

    `kept` are further arguments of asyncpg's own `connect`.
    """
    opening = opening_of(url)

    async def open_connection(*_place: Any, **_options: Any) -> Any:
        return await opening(**kept)

    options: dict[str, Any] = {"async_creator_fn": open_connection}
    if not prepares(url):
        options |= {"prepared_statement_cache_size": 0, "prepared_statement_name_func": _name}
    return url.set(query={}), {"connect_args": options}


def _name() -> str:
    """Return a name that no statement of another process has on the same server."""
    return f"siren_{uuid4().hex}"
