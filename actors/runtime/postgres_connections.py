"""PostgreSQL as every service uses it: its URL's options, and connections without a transaction.

Nothing of SQLAlchemy in between: a statement is one round trip. `Database` says who may write when.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
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

HOST_LIMIT_S = 1.5
"""How long each of several hosts may take to let us in: one whose machine vanished says nothing,
and the next has to be asked before whoever waits is told that the database is away."""

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

    async def fetch(
        self,
        text: str,
        arguments: Sequence[Any],
        limit_s: float | None = None,
        *,
        again: bool = False,
    ) -> Sequence[Sequence[Any]]:
        """Return the rows of one statement; whatever it changed is committed by then.

        `again`: it only reads, and is asked once more where its connection is lost. Raises
        `TimeoutError` after `limit_s`, connections included.
        """
        try:
            async with asyncio.timeout(limit_s):
                try:
                    return await self._fetched(text, arguments)
                except Exception as error:
                    if not (again and _is_lost(error)):
                        raise
                return await self._fetched(text, arguments)
        except TimeoutError:
            self._give_up_idle()
            raise

    async def _fetched(self, text: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        async with self._borrowed() as connection:
            rows: Sequence[Sequence[Any]]
            if self._prepares:
                rows = await connection.fetch(text, *arguments)
            else:
                async with connection.transaction():
                    rows = await connection.fetch(text, *arguments)
            return rows

    async def value(self, text: str, *arguments: str | None, limit_s: float | None = None) -> Any:
        """Return the only value of one statement's only row, as `fetch` does."""
        return (await self.fetch(text, arguments, limit_s))[0][0]

    async def close(self) -> None:
        """Close those that nobody uses."""
        self._give_up_idle()

    def _give_up_idle(self) -> None:
        # Where one is lost, or its server says nothing, the others would each cost another wait.
        while self._idle:
            self._idle.pop().terminate()

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Any]:
        import asyncpg  # noqa: PLC0415 - it takes 3 MB, which SQLite does without

        async with self._places:
            connection = self._known_to_live() or await self._opened()
            try:
                with _lost_as_such():
                    yield connection
            except BaseException as error:
                state = error.sqlstate or "" if isinstance(error, asyncpg.PostgresError) else None
                if state is not None and not state.startswith(GONE):
                    self._idle.append(connection)  # an answer as others
                    raise
                # Cut off, or given up: its answer must not become the next statement's.
                connection.terminate()
                if state is not None or isinstance(error, OSError):
                    self._give_up_idle()
                raise
            self._idle.append(connection)

    async def _opened(self) -> Any:
        connection = await self._open()
        if self._prepares:
            try:
                with _lost_as_such():
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


def _is_lost(error: Exception) -> bool:
    """Return whether a connection went, so that another one may do."""
    state = str(getattr(error, "sqlstate", None) or "")
    return state.startswith(GONE) or (
        isinstance(error, OSError) and not isinstance(error, TimeoutError)
    )


def prepares(url: URL) -> bool:
    """Return whether statements stay prepared on the server; see `CACHES`."""
    return all(int(str(url.query.get(name, 1))) > 0 for name in CACHES)


def opening_of(url: URL) -> Any:
    """Return what opens a connection by a URL, with libpq's options for SSL and several hosts.

    See `OPTIONS`; `ssl` is `sslmode`. Of several hosts the primary is taken, unless the URL says
    another, and each has `HOST_LIMIT_S`; what opens next begins with the one that was taken last.
    """
    import asyncpg  # noqa: PLC0415 - as above

    options: dict[str, Any] = {} if prepares(url) else {"statement_cache_size": 0}
    query = {name: value for name, value in url.query.items() if name not in CACHES}
    if "ssl" in query:
        query.setdefault("sslmode", query.pop("ssl"))
    watched = {name: value for name, value in WATCHED.items() if name not in query}
    places = _places(url.set(drivername="postgresql", query=query), asks=prepares(url))
    passed_over = OSError, asyncpg.CannotConnectNowError, asyncpg.TargetServerAttributeNotMatched
    if len(places) > 1:
        options["timeout"] = HOST_LIMIT_S

    async def opened_at(place: str, **kept: Any) -> Any:
        nonlocal watched
        connect = partial(asyncpg.connect, place, **kept | options)
        try:
            return await connect(server_settings=watched or None)
        except asyncpg.ProtocolViolationError:
            if not watched:
                raise
            watched = {}
            return await connect()

    async def opened(**kept: Any) -> Any:
        *others, last = places
        with _lost_as_such():
            for place in others:
                try:
                    return await opened_at(place, **kept)
                except passed_over:
                    places.remove(place)
                    places.append(place)
            return await opened_at(last, **kept)

    return opened


def _places(url: URL, *, asks: bool) -> list[str]:
    """Return a URL for each host; a single one where asyncpg has to see all of them at once.

    `asks`: whether a server may be asked, by a statement, if it is the primary.
    """
    query = url.normalized_query
    hosts = (url.host or ",".join(query.get("host", ()))).split(",")
    ports = str(url.port or ",".join(query.get("port", ()))).split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    several = len(hosts) == len(ports) > 1 and "prefer-standby" not in str(query)
    urls = [url]
    if several:
        bare = url._replace(host=None, port=None).difference_update_query(("host", "port"))
        if asks and "target_session_attrs" not in query:
            bare = bare.update_query_dict({"target_session_attrs": "primary"})
        urls = [
            bare.update_query_dict({"host": host} | ({"port": port} if port else {}))
            for host, port in zip(hosts, ports, strict=True)
        ]
    return [each.render_as_string(hide_password=False) for each in urls]


@contextmanager
def _lost_as_such() -> Iterator[None]:
    """Raise `ConnectionError` for what asyncpg says of a connection by errors of its own.

    One that is closed already, hosts none of which is as it has to be, a server that talks another
    language: these have no SQLSTATE. What is wrong in a URL or an argument stays `ValueError`.
    """
    import asyncpg  # noqa: PLC0415 - as above

    try:
        yield
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        if isinstance(error, ValueError):
            raise
        raise ConnectionError(str(error)) from error


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
