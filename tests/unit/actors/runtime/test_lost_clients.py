"""How connections to PostgreSQL are opened: what the server is asked to do about lost clients."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from actors.runtime.postgres_connections import PostgresConnections, engine_options

SHOW = "SHOW idle_in_transaction_session_timeout"
REFUSAL = b"SFATAL\0C08P01\0Munsupported startup parameter: tcp_keepalives_idle\0\0"


@asynccontextmanager
async def pgbouncer(url: str) -> AsyncIterator[str]:
    """Be in front of a server on a socket file, and refuse what a pgbouncer does not know."""
    parts = urlsplit(url)
    socket = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.{parts.port or 5432}"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(4))
        start = await reader.readexactly(length - 4)
        if b"tcp_keepalives_idle" in start:
            writer.write(b"E" + (4 + len(REFUSAL)).to_bytes(4) + REFUSAL)
            writer.close()
            return
        back, forth = await asyncio.open_unix_connection(socket)
        forth.write(length.to_bytes(4) + start)
        await asyncio.gather(_pass_on(reader, forth), _pass_on(back, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql+asyncpg://{parts.username}@127.0.0.1:{port}{parts.path}?ssl=disable"


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()


async def shown(url: str) -> set[str]:
    """Return the setting as both kinds of connections have it."""
    plain, options = engine_options(make_url(url))
    engine, connections = create_async_engine(plain, **options), PostgresConnections(url)
    try:
        async with engine.connect() as connection:
            ours = await connection.scalar(text(SHOW))
        return {ours, await connections.value(SHOW)}
    finally:
        await engine.dispose()
        await connections.close()


async def test_a_server_gives_up_clients_that_are_gone(postgres_url: str) -> None:
    assert await shown(postgres_url) == {"30s"}


async def test_what_the_url_says_stays(postgres_url: str) -> None:
    mark = "&" if "?" in postgres_url else "?"

    found = await shown(f"{postgres_url}{mark}idle_in_transaction_session_timeout=7s")

    assert found == {"7s"}


async def test_a_pgbouncer_that_cannot_be_told_is_told_nothing(postgres_url: str) -> None:
    async with pgbouncer(postgres_url) as url:
        assert await shown(url) == {"0"}
