"""Several hosts in a PostgreSQL server's URL: the one that can be written is found, and kept."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from sqlalchemy import MetaData, make_url, text

from actors.contracts.errors import Unavailable
from actors.runtime import postgres_connections
from actors.runtime.database import Database
from cluster.running.environment import free_port

LOOPBACK = "127.0.0.1"
WAYS = ("statement", "connection")
SAYINGS = {"server_version": "16.0", "client_encoding": "UTF8", "in_hot_standby": "on"}


def _message(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("!I", 4 + len(content)) + content


SAID = (_message(b"S", f"{name}\0{value}\0".encode()) for name, value in SAYINGS.items())
STANDBY = _message(b"R", bytes(4)) + b"".join(SAID) + _message(b"Z", b"I")
"""What one says to whom it lets in."""


class Host:
    """The first of two hosts: it says `greeting`, and nothing else. Counts who comes."""

    def __init__(self, greeting: bytes) -> None:
        self._greeting = greeting
        self.visits = 0

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        writer.write(self._greeting)
        with suppress(OSError):
            await reader.read(-1)
        writer.close()


@asynccontextmanager
async def before(url: str, greeting: bytes) -> AsyncIterator[tuple[Host, str]]:
    """Put a host before the one of a server on a socket file; yields it, and the URL of both."""
    host, real = Host(greeting), make_url(url)
    async with await asyncio.start_server(host.meet, LOOPBACK) as listener:
        port = listener.sockets[0].getsockname()[1]
        places = {
            "host": f"{LOOPBACK},{real.query['host']}",
            "port": f"{port},{real.port or 5432}",
            "sslmode": "disable",
        }
        both = real.set(port=None, query=places)
        yield host, both.render_as_string(hide_password=False)


async def ask(database: Database, way: str) -> int:
    if way == "statement":
        return int((await database.fetch(database.prepare(text("SELECT 1")), {}))[0][0])
    async with database.read() as connection:
        return int(await connection.scalar(text("SELECT 1")))


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_connections, "HOST_LIMIT_S", 0.3)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("greeting", [b"", STANDBY], ids=["silent", "standby"])
async def test_a_host_that_says_nothing_or_only_reads_is_passed_over_once(
    postgres_url: str, greeting: bytes, way: str
) -> None:
    async with before(postgres_url, greeting) as (host, url):
        database = Database(url, MetaData())
        assert [await ask(database, way) for _ in range(2)] == [1, 1]
        await database.close()
        assert await ask(database, way) == 1  # by a new connection
        await database.close()
    assert host.visits == 1


async def test_hosts_in_the_url_s_own_place_are_asked_one_by_one_too() -> None:
    asked: list[str] = []

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(writer.get_extra_info("sockname")[0])
        await reader.read(-1)
        writer.close()

    hosts = LOOPBACK, "127.0.0.2"
    async with await asyncio.start_server(meet, "0.0.0.0", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        url = f"postgresql+asyncpg://siren@{','.join(hosts)}:{port}/siren?sslmode=disable"
        database = Database(url, MetaData())
        with pytest.raises(Unavailable, match="no answer in time"):
            await ask(database, "statement")
        await database.close()
    assert tuple(asked) == hosts


@pytest.mark.parametrize("way", WAYS)
async def test_where_no_host_is_as_it_has_to_be_the_database_is_away(
    postgres_url: str, way: str
) -> None:
    database = Database(f"{postgres_url}&target_session_attrs=standby", MetaData())
    with pytest.raises(Unavailable, match="None of the hosts match"):
        await ask(database, way)
    await database.close()


@pytest.mark.parametrize("way", WAYS)
async def test_where_every_host_is_away_so_is_the_database(way: str) -> None:
    hosts = f"host={LOOPBACK},{LOOPBACK}&port={free_port()},{free_port()}&sslmode=disable"
    database = Database(f"postgresql+asyncpg://siren@/siren?{hosts}", MetaData())
    with pytest.raises(Unavailable, match="Connect call failed"):
        await ask(database, way)
    await database.close()
